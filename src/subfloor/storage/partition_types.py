"""Names for partition types.

The GUIDs are from the UEFI specification (5.3.3), the Discoverable Partitions Specification (UAPI.2)
and, for older types, the list of libfdisk.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from uuid import UUID

_ANYWHERE: Mapping[str, str] = {
    "esp": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    "xbootldr": "bc13c2ff-59e6-4262-a352-b275fd6f7172",
    "bios-boot": "21686148-6449-6e6f-744e-656564454649",
    "linux": "0fc63daf-8483-4772-8e79-3d69d8477de4",
    "swap": "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
    "luks": "ca7d7ccb-63ed-4c53-861c-1742536059cc",
    "lvm": "e6d6d379-f507-44c2-a23c-238f2a3df928",
    "raid": "a19d880f-05fc-4d3b-a006-743f0f84911e",
    "zfs": "6a898cc3-1dd2-11b2-99a6-080020736631",
    "linux-home": "933ac7e1-2eb4-4f13-b844-0e14e2aef915",
    "linux-srv": "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
    "linux-var": "4d21b016-b534-45c2-a9fb-5c16e091fd2d",
    "linux-tmp": "7ec6f557-3bc5-4aca-b293-16ef5df639d1",
    "linux-user-home": "773f91ef-66d4-49b5-bd83-d683bf40ad16",
    "microsoft-basic-data": "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
}

_ROOTS: Mapping[str, str] = {
    "linux-root-x86-64": "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "linux-root-x86": "44479540-f297-41b2-9af7-d131d5f0458a",
    "linux-root-arm64": "b921b045-1df0-41c3-af44-4c6f280d3fae",
    "linux-root-riscv64": "72ec70a6-cf74-40e6-bd49-4bda08e8f224",
    "linux-usr-x86-64": "8484680c-9521-48c6-9c11-b0720656f69e",
    "linux-usr-arm64": "b0e01050-ee5f-4390-949a-9101b17104e9",
}

_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("efi", "uefi", "boot", "ef", "efi system", "vfat", "fat32"), "esp"),
    **dict.fromkeys(("linux filesystem", "83", "ext4", "xfs", "btrfs", "f2fs", "data", "root"), "linux"),
    **dict.fromkeys(("82", "linux swap", "linux-swap"), "swap"),
    **dict.fromkeys(("linux lvm", "8e"), "lvm"),
    **dict.fromkeys(("linux raid", "fd"), "raid"),
    **dict.fromkeys(("bios boot", "bios_grub", "grub", "ef02"), "bios-boot"),
    **dict.fromkeys(("crypt", "linux luks"), "luks"),
    **dict.fromkeys(("home", "linux home"), "linux-home"),
    **dict.fromkeys(("ntfs", "windows", "msftdata", "07"), "microsoft-basic-data"),
}
"""The names that types have in parted, sgdisk, fdisk and everyday use, each with our name for the type."""

TYPES: Mapping[str, UUID] = {name: UUID(text) for name, text in {**_ANYWHERE, **_ROOTS}.items()}
"""Every type that has a name. A root's type depends on the processor, so its name contains the processor."""

OTHER_SYSTEMS = frozenset(
    map(
        UUID,
        (
            "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",  # Microsoft basic data
            "e3c9e316-0b5c-4db8-817d-f92df00215ae",  # Microsoft reserved
            "de94bba4-06d1-4d40-a16a-bfd50179d6ac",  # Windows recovery environment
            "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3",  # Windows logical disk manager: metadata
            "af9b60a0-1431-4f62-bc68-3311714a69ad",  # Windows logical disk manager: data
            "48465300-0000-11aa-aa11-00306543ecac",  # Apple HFS+
            "7c3457ef-0000-11aa-aa11-00306543ecac",  # Apple APFS
        ),
    )
)
"""Types of partitions that Windows and macOS use. The boot loaders of both find partitions by PARTUUID."""

_NAMES: Mapping[UUID, str] = {guid: name for name, guid in TYPES.items()}


def type_guid(text: str) -> UUID:
    """The GUID of a type that is written as a name or as a GUID. Raises ``ValueError`` for anything else."""
    if text in TYPES:
        return TYPES[text]
    try:
        return UUID(text)
    except ValueError:
        known = ", ".join(TYPES)
        meant = _meant(text)
        hint = f"did you mean {meant}? If not: " if meant else ""
        raise ValueError(f"{text!r} is not a partition type; {hint}write a GUID, or one of {known}") from None


def _meant(text: str) -> str:
    """Our name for a type, from the name that another tool uses; otherwise from the most similar name.

    "" if no name is similar.
    """
    word = text.lower().removesuffix("00") if re.fullmatch(r"[0-9a-fA-F]{2}00", text) else text.lower()
    known = {**{name: name for name in TYPES}, **_ELSEWHERE}
    close = [word] if word in known else difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return known[close[0]] if close else ""


def type_name(guid: UUID) -> str:
    """A type's name, or its GUID if it has no name."""
    return _NAMES.get(guid, str(guid))
