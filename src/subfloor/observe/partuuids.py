"""Where this machine names partitions by their PARTUUIDs: in files for the boot, and in the firmware's boot entries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from subfloor.core.machine import Output, Subject

FIRMWARE = "the firmware's boot entry"
"""The first words of ``where`` for a name in the firmware."""

_PROBE = r"""
for file in /etc/fstab /etc/crypttab /proc/cmdline; do
    [ -r "$file" ] && sed "s|^|$file |" "$file"
done
for entry in /sys/firmware/efi/efivars/Boot[0-9A-F][0-9A-F][0-9A-F][0-9A-F]-*; do
    [ -r "$entry" ] || continue
    name=${entry##*/}
    printf 'efi %s ' "${name%%-*}"
    od -An -v -tx1 "$entry" | tr -d ' \n'
    echo
done
:
"""

_NAMED = re.compile(r"partuuid[=/]\W?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_HARD_DRIVE = re.compile(r"04012a00[0-9a-f]{40}([0-9a-f]{32})0202")
"""A partition of a GPT in a device path (UEFI specification, 10.3.5.1): number, start, size, then the PARTUUID."""


@dataclass(frozen=True)
class Naming:
    """A place that names a partition by its PARTUUID. ``where``: the place, in words; ``uuid``: the PARTUUID."""

    where: str
    uuid: UUID

    @property
    def in_firmware(self) -> bool:
        """Whether the place is a boot entry of the firmware."""
        return self.where.startswith(FIRMWARE)


@dataclass(frozen=True)
class PartuuidNames(Subject[tuple[Naming, ...]]):
    """All places on this machine that name a partition by its PARTUUID."""

    def __str__(self) -> str:
        return "the PARTUUIDs that this machine boots by"

    def probes(self) -> tuple[str, ...]:
        """The probe: fstab(5), crypttab(5), the kernel's command line, and the firmware's variables."""
        return (_PROBE,)

    def parse(self, *outputs: Output) -> tuple[Naming, ...]:
        """The places in the order of the probe's output, each once."""
        return tuple(dict.fromkeys(each for line in outputs[0].text.split("\n") for each in _named(line)))


def _named(line: str) -> Iterator[Naming]:
    where, _, text = line.partition(" ")
    if where == "efi":
        name, _, data = text.partition(" ")
        for each in _HARD_DRIVE.findall(data):
            yield Naming(f"{FIRMWARE} {name}", UUID(bytes_le=bytes.fromhex(each)))
    elif not text.lstrip().startswith("#"):
        yield from (Naming(where, UUID(each)) for each in _NAMED.findall(text))
