"""UUIDs derived from the play's seed and the host, by which a rerun recognises its own work.

No UUID is random. So a plan is fully known before apply, two runs agree, and the disk itself shows which play
made it. UUIDs are version 5 (RFC 9562, section 5.5), in a namespace made of the play's seed and the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

_NAMESPACE = UUID("7ab5d0b6-3a5a-5c0c-9e0e-5bf100f5eed5")


@dataclass(frozen=True)
class Identity:
    """The play's seed and the host's name. With another seed every disk is foreign."""

    seed: str
    host: str

    @property
    def _own(self) -> UUID:
        return uuid5(uuid5(_NAMESPACE, self.seed), self.host)

    def disk(self, name: str) -> UUID:
        """The disk GUID (label-id) of the GPT on the disk that the play calls ``name``."""
        return uuid5(self._own, f"disk {name}")

    def partition(self, table: UUID, number: int, name: str) -> UUID:
        """The PARTUUID of our partition with this number and (final) name in this table.

        The table may be foreign: a partition that was added to a foreign GPT is still recognised as ours.
        """
        return uuid5(self._own, f"partition {table} {number} {name}")

    def adopted(self, table: UUID, number: int, name: str, content: str) -> UUID:
        """The PARTUUID of a partition that was made elsewhere and taken over with this content, in words.

        A version 8 UUID (RFC 9562, section 5.8). Its first half shows that the partition is ours, its second half
        which content was taken over. So the content itself need not change.
        """
        ours = uuid5(self._own, f"adopted partition {table} {number} {name}").bytes
        kept = uuid5(self._own, f"adopted content {table} {number} {name} {content}").bytes
        return UUID(bytes=bytes((*ours[:6], ours[6] & 0x0F | 0x80, ours[7], *kept[8:])))

    def is_adopted(self, uuid: UUID, table: UUID, number: int, name: str) -> bool:
        """Whether a PARTUUID shows that the partition was taken over, with whatever content."""
        return uuid.bytes[:8] == self.adopted(table, number, name, "").bytes[:8]

    def swap_file(self, path: str) -> UUID:
        """The UUID of the swap area in our file at this path inside its filesystem."""
        return uuid5(self._own, f"swap file {path}")

    def volume_group(self, name: str) -> UUID:
        """The UUID in the tag of our volume group of this name."""
        return uuid5(self._own, f"volume group {name}")

    def logical_volume(self, group: UUID, name: str) -> UUID:
        """The UUID in the tag of our logical volume of this name in this group."""
        return uuid5(self._own, f"logical volume {group} {name}")

    def array(self, name: str) -> UUID:
        """The UUID of our md array of this name."""
        return uuid5(self._own, f"array {name}")

    def filesystem(self, partition: UUID) -> UUID:
        """The UUID of the filesystem or swap area on our partition."""
        return uuid5(self._own, f"filesystem {partition}")
