"""UUIDs derived from the play's seed, the host and the machine, by which a rerun recognises its own work.

No UUID is random. So a plan is fully known before apply, two runs agree, and the disk itself shows which play
made it. UUIDs are version 5 (RFC 9562, section 5.5), in a namespace made of the play's seed and the host. UUIDs of
two halves, each with its own meaning, are version 8 (section 5.8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

MACHINE, ANY = "subfloor_machine", "any"
"""The variable that names the machine of a host, and its value if identities do not depend on the machine."""

_NAMESPACE = UUID("7ab5d0b6-3a5a-5c0c-9e0e-5bf100f5eed5")


@dataclass(frozen=True)
class Identity:
    """The play's seed and the host's name. With another seed every disk is foreign.

    ``machine``: identifies the machine, if the host's name does not ("localhost"). It is empty if the machine is not
    known, or does not count; then a disk of any machine is ours.
    """

    seed: str
    host: str
    machine: str = ""

    @property
    def _own(self) -> UUID:
        return _derived(_derived(_NAMESPACE, self.seed), self.host)

    def disk(self, name: str) -> UUID:
        """The disk GUID (label-id) of a new GPT on the disk that the play calls ``name``."""
        anywhere = self.disk_anywhere(name)
        if not self.machine:
            return anywhere
        return _of_halves(anywhere, _derived(self._own, f"disk {name} of the machine {self.machine}"))

    def disk_anywhere(self, name: str) -> UUID:
        """The label-id of this disk on any machine. Earlier versions wrote it, and it identifies a disk that is filled
        as a whole."""
        return _derived(self._own, f"disk {name}")

    def is_disk(self, label_id: UUID, name: str) -> bool:
        """Whether a GPT with this label-id was made for the disk that the play calls ``name``, on this machine."""
        if label_id in (self.disk(name), self.disk_anywhere(name)):
            return True
        return not self.machine and self._is_made_for(label_id, name)

    def is_of_another_machine(self, label_id: UUID, name: str) -> bool:
        """Whether this play made a GPT with this label-id, but on another machine."""
        return self._is_made_for(label_id, name) and not self.is_disk(label_id, name)

    def _is_made_for(self, label_id: UUID, name: str) -> bool:
        return label_id.bytes[:8] == _of_halves(self.disk_anywhere(name), label_id).bytes[:8]

    def name_of(self, label_id: UUID, names: Iterable[str]) -> str | None:
        """The first of ``names``, the play's names of disks, that this label-id belongs to; None if there is none."""
        return next((name for name in names if self.is_disk(label_id, name)), None)

    def partition(self, table: UUID, number: int, name: str) -> UUID:
        """The PARTUUID of our partition with this number and (final) name in this table.

        The table may be foreign: a partition that was added to a foreign GPT is still recognised as ours.
        """
        return _derived(self._own, f"partition {table} {number} {name}")

    def adopted(self, table: UUID, number: int, name: str, content: str) -> UUID:
        """The PARTUUID of a partition that was made elsewhere and taken over. ``content``: its content, in words.

        A version 8 UUID (RFC 9562, section 5.8). Its first half shows that the partition is ours, its second half
        which content was taken over. So the content itself need not change.
        """
        ours = _derived(self._own, f"adopted partition {table} {number} {name}")
        return _of_halves(ours, _derived(self._own, f"adopted content {table} {number} {name} {content}"))

    def is_adopted(self, uuid: UUID, table: UUID, number: int, name: str) -> bool:
        """Whether a PARTUUID shows that the partition was taken over, with any content."""
        return uuid.bytes[:8] == self.adopted(table, number, name, "").bytes[:8]

    def swap_file(self, path: str) -> UUID:
        """The UUID of the swap area in our file at this path inside its filesystem."""
        return _derived(self._own, f"swap file {path}")

    def volume_group(self, name: str) -> UUID:
        """The UUID in the tag of our volume group of this name."""
        return _derived(self._own, f"volume group {name}")

    def logical_volume(self, group: UUID, name: str) -> UUID:
        """The UUID in the tag of our logical volume of this name in this group."""
        return _derived(self._own, f"logical volume {group} {name}")

    def array(self, name: str) -> UUID:
        """The UUID of our md array of this name."""
        return _derived(self._own, f"array {name}")

    def filesystem(self, partition: UUID) -> UUID:
        """The UUID of the filesystem or swap area on our partition."""
        return _derived(self._own, f"filesystem {partition}")


def _derived(namespace: UUID, text: str) -> UUID:
    """The UUID of a text. UTF-8 cannot encode half of a UTF-16 pair, which the name of a foreign partition may hold."""
    return uuid5(namespace, text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _of_halves(first: UUID, second: UUID) -> UUID:
    """A version 8 UUID: the first half of ``first``, then the second half of ``second``."""
    ours = first.bytes
    return UUID(bytes=bytes((*ours[:6], ours[6] & 0x0F | 0x80, ours[7], *second.bytes[8:])))
