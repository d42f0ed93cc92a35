"""The codes of sgdisk(8) for partition types, as disko writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

from subfloor.storage.partition_types import type_guid, type_name

_CODES: Mapping[str, str] = {
    "0700": "microsoft-basic-data",
    "0C01": "e3c9e316-0b5c-4db8-817d-f92df00215ae",
    "2700": "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
    "8200": "swap",
    "8300": "linux",
    "8301": "8da63339-0007-60c0-c436-083ac8230908",
    "8302": "linux-home",
    "8303": "linux-root-x86",
    "8304": "linux-root-x86-64",
    "8305": "linux-root-arm64",
    "8306": "linux-srv",
    "8307": "69dad710-2ce4-4e3c-b16c-21a1d49abed3",
    "8308": "7ffec5c9-2d00-49b7-8941-3ea10a5586b7",
    "8309": "luks",
    "8310": "linux-var",
    "8311": "linux-tmp",
    "8312": "linux-user-home",
    "8314": "linux-usr-x86-64",
    "8316": "linux-usr-arm64",
    "8E00": "lvm",
    "AF00": "48465300-0000-11aa-aa11-00306543ecac",
    "AF0A": "7c3457ef-0000-11aa-aa11-00306543ecac",
    "BF00": "6a85cf4d-1dd2-11b2-99a6-080020736631",
    "BF01": "zfs",
    "EA00": "xbootldr",
    "EF00": "esp",
    "EF01": "024dee41-33e7-11d3-9d69-0008c781f39f",
    "EF02": "bios-boot",
    "FD00": "raid",
}

_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def type_of(code: str) -> str:
    """The type as a playbook writes it, for a code or a GUID. Raises ``ValueError`` for an unknown code."""
    if _GUID.fullmatch(code):
        return type_name(UUID(code))
    if code.upper() not in _CODES:
        raise ValueError(f"the code {code!r} of sgdisk is not known")
    return type_name(type_guid(_CODES[code.upper()]))
