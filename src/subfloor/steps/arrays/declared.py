"""An md array as a play declares it, and which of its volumes are members of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject
from subfloor.observe.array import ArraysNamed
from subfloor.observe.disk import Content, Disk
from subfloor.steps.volumes import Volume
from subfloor.storage import arrays
from subfloor.storage.filesystems import RAID
from subfloor.storage.raid_levels import Geometry


@dataclass(frozen=True)
class Declared:
    """``devices``: the volumes of its members, as the play names them.

    ``raw``: no task of the play fills the array, so it never has a mark. ``metadata``: the version of mdadm's metadata.
    """

    name: str
    geometry: Geometry
    devices: tuple[str, ...]
    raw: bool = False
    metadata: str = "1.2"

    @property
    def path(self) -> str:
        """The path of the array once it is assembled."""
        return arrays.node_of(self.name)

    @property
    def subjects(self) -> frozenset[AnySubject]:
        """The subjects for the array itself, without those for its members."""
        return frozenset({Disk(self.path), ArraysNamed(self.name)})

    @property
    def label(self) -> str:
        """The label of its members."""
        return arrays.label_of(self.name)

    @property
    def may_lose(self) -> int:
        """How many members the array can lose without loss of data, in the best case."""
        return self.geometry.may_lose(len(self.devices))

    def room(self, volume: Volume) -> int:
        """How many bytes of data a volume can hold as a member."""
        return arrays.data_size(volume.room or volume.size, self.metadata)

    def content(self, identity: Identity) -> Content:
        """The content of a member."""
        return Content(RAID, self.label, str(identity.array(self.name)))


def is_member(volume: Volume, declared: Declared) -> bool:
    """Whether a volume is a member of the array that this play makes: its content shows that."""
    content = volume.content
    wanted = declared.content(volume.identity)
    return isinstance(content, Content) and (content.type, content.uuid) == (wanted.type, wanted.uuid)


def is_begun(volumes: Iterable[Volume], declared: Declared) -> bool:
    """Whether the array was completely made before: a member has its final name. Then the array is never made again."""
    return any(each.is_final and is_member(each, declared) for each in volumes)


def kept(volumes: Sequence[Volume], declared: Declared) -> tuple[Volume, ...]:
    """The volumes that are members."""
    return tuple(each for each in volumes if is_member(each, declared))


def without(declared: Declared, nodes: tuple[str, ...], stopped: str) -> str:
    """Advice for an array that is not assembled and lacks members. ``nodes``: the members that exist.

    ``stopped``: the node of the array in the kernel, if it is not started; otherwise empty.
    """
    if len(declared.devices) - len(nodes) > declared.may_lose:
        most = {0: "no member", 1: "one member"}.get(declared.may_lose, f"{declared.may_lose} members")
        return (
            f"attach the disks: {declared.geometry} can lose {most}; if they are lost, so is the content, and `wipefs` "
            "tasks for all of the disks, with consent, start anew"
        )
    stop = f"`mdadm --stop {stopped}`, then " if stopped else ""
    return (
        f"{stop}start it without that member, `mdadm --assemble --run {declared.path} {' '.join(nodes)}`; then run "
        "subfloor again, which adds the member"
    )


def check_apart(volumes: Sequence[Volume], declared: Declared) -> None:
    """Raise ``Refused`` if two members lie on one disk, or on one partition."""
    wholes = [each.whole for each in volumes]
    if twice := next((each for each in volumes if wholes.count(each.whole) > 1), None):
        raise Refused(
            f"two members of {declared.path} lie on one disk, {twice.disks[0]}: if it fails, both are lost",
            advice="name a partition of another disk",
        )
