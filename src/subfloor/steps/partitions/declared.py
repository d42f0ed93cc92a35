"""A partition as a play declares it: its name and type, its size and place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.steps.ownership import is_partition
from subfloor.storage import declared_sizes, gpt, sizes
from subfloor.storage.marks import LONGEST_NAME, is_final

_ATTRIBUTES = {"required": 0, "no-block-io": 1, "legacy-boot": 2, "read-only": 60, "hidden": 62, "no-auto": 63}

Attribute = Literal["required", "no-block-io", "legacy-boot", "read-only", "hidden", "no-auto"]
"""An attribute in the GPT."""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """``device``: the whole disk, as the play names it; ``type``: its GUID. ``size``, ``start`` and ``end``: as in the
    playbook, empty if not given. ``raw``: no task of the play fills it. ``others``: the other partitions that the play
    declares on the disk; ``earlier``: number and name of each partition that the play declares before this one.
    """

    device: str
    number: int
    name: str
    type: UUID
    size: str
    start: str
    end: str
    attributes: tuple[Attribute, ...]
    raw: bool
    identity: Identity
    others: tuple[Partition, ...] = ()
    earlier: tuple[tuple[int, str], ...] = ()

    @property
    def bits(self) -> int:
        """The attributes, as in the entry of the GPT."""
        return sum(1 << _ATTRIBUTES[attribute] for attribute in set(self.attributes))

    def uuid(self, table: gpt.Gpt) -> UUID:
        """The UUID that a new partition gets in this table."""
        return self.identity.partition(table.id, self.number, self.name)

    def is_(self, entry: gpt.Entry, table: gpt.Gpt) -> bool:
        """Whether the entry is this partition: this play made it, or took it over, under the declared name.

        Its UUID shows that, even if the partition was renamed later.
        """
        return is_partition(self.identity, table.id, entry, self.name)


def attributes_of(bits: int) -> tuple[str, ...] | None:
    """The names of the attributes in an entry of the GPT; None if one of them has no name."""
    known = {name: 1 << bit for name, bit in _ATTRIBUTES.items()}
    found = tuple(name for name, bit in known.items() if bits & bit)
    return found if sum(known[name] for name in found) == bits else None


def attributes(bits: int) -> str:
    """The attributes in an entry of the GPT, in words; those without a name by their bits."""
    names = {1 << bit: name for name, bit in _ATTRIBUTES.items()}
    each = (1 << at for at in range(64) if bits >> at & 1)
    return ", ".join(names.get(bit, f"bit {bit.bit_length() - 1}") for bit in each) or "none"


def check_name(name: str) -> None:
    """Raise ``ValueError`` for a name that a partition cannot have."""
    if len(name) > LONGEST_NAME or not gpt.expressible(name):
        raise ValueError(
            f"{name!r} is not a valid partition name: use up to {LONGEST_NAME} characters, "
            "none outside the first Unicode plane, such as emoji"
        )
    if not is_final(name):
        raise ValueError(f"{name!r} has an ending that is reserved for unfinished partitions; choose another")


def is_before(end: str, start: str) -> bool:
    """Whether the end is not after the start; False if only the size of the disk can tell."""
    back = declared_sizes.from_end(end), declared_sizes.from_end(start)
    if back[0] is not None and back[1] is not None:
        return back[0] >= back[1]
    return back == (None, None) and sizes.parse(end) <= sizes.parse(start)


def check_play(declared: Partition) -> None:
    """Raise ``Refused`` if the play declares another partition of the disk with the same number or name."""
    for other in declared.others:
        if other.number == declared.number:
            raise Refused(
                f"the play declares partition {declared.number} of {declared.device} twice, as {declared.name!r} and "
                f"as {other.name!r}",
                advice="give each a different number, or declare it once",
            )
        if other.name == declared.name:
            raise Refused(
                f"the play makes two partitions named {declared.name!r} on {declared.device}: "
                f"numbers {declared.number} and {other.number}",
                advice="give each a different name",
            )


def check_uuid(declared: Partition, table: gpt.Gpt) -> None:
    """Raise ``Refused`` if an entry with another number has this partition's UUID: it was renumbered or copied."""
    for entry in table.entries:
        at = replace(entry, number=declared.number)
        if entry.number != declared.number and declared.is_(at, table):
            raise Refused(
                f"partition {entry.number} of {declared.device} has the UUID of partition {declared.number} "
                f"{declared.name!r}, {entry.uuid}",
                advice="if it was renumbered, give it its old number again (sgdisk --transpose); if it is a copy, "
                "give it another UUID (sfdisk --part-uuid); then run subfloor again",
            )
