"""The interface of all kinds of volumes, and what they have in common."""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from subfloor.core.errors import NotVisible, Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine, Unknown
from subfloor.core.task import Command, Loss, Step, Task
from subfloor.observe.disk import Content
from subfloor.steps import in_use
from subfloor.steps.ownership import is_our_content
from subfloor.steps.partitioning import wipe
from subfloor.storage.filesystems import uuid_on_disk
from subfloor.storage.marks import LABELLING, UNFINISHED, final, is_final


@dataclass(frozen=True, kw_only=True)
class Volume(ABC):
    """A volume on a machine, for the task that makes its content.

    ``path``: its path in the play; ``node``: its node in the kernel. ``size`` and ``sector``: in bytes. ``name``: its
    name in the layer below, with the mark of its progress (``storage/marks``). ``room``: how many of its bytes the
    content may take; None: all. ``unfit``: types of content that it cannot hold. ``uuid``: the UUID of the volume, from
    which the UUIDs of its content are derived. ``ours``: this play made the volume, or took it over. ``adopted``: this
    play took it over with the content that it has now. ``known``: the kernel has the volume as the layer below defines
    it. ``disks``: the paths and nodes of the whole disks that the volume lies on; ``locks``: only their nodes.
    """

    machine: Machine = field(repr=False)
    identity: Identity = field(repr=False)
    path: str
    node: str
    size: int
    sector: int
    name: str
    uuid: UUID
    ours: bool
    content: Content | Unknown | None
    adopted: bool = False
    room: int | None = None
    unfit: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    in_use: bool = False
    read_only: bool = False
    known: bool = True
    disks: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()

    def reveal(self) -> tuple[Command, ...]:
        """Commands that make the volume known to the kernel; none if the kernel knows it."""
        return ()

    @abstractmethod
    def mark(self, name: str) -> tuple[Command, ...]:
        """Commands that rename the volume in one atomic write, and flush it."""

    @abstractmethod
    def holding(self, content: Content | None, name: str, *, known: bool = True) -> Machine:
        """The machine after the volume got this content and name."""

    @abstractmethod
    def losses(self, about: str) -> tuple[Loss, ...]:
        """The losses of a step that destroys the volume's content. ``about``: the reason. Raises ``LookNeeded``."""

    @abstractmethod
    def take_over(self) -> Step:
        """A step that makes a foreign volume ours; its content is lost.

        Raises ``Refused`` if that is not possible.
        """

    @property
    def whole(self) -> str:
        """The node of the whole device that contains the volume, or is the volume."""
        return self.node

    @property
    def is_unfinished(self) -> bool:
        """Whether its content is unfinished."""
        return self.name.endswith(UNFINISHED)

    @property
    def is_labelling(self) -> bool:
        """Whether a change of the label was interrupted."""
        return self.name.endswith(LABELLING)

    @property
    def is_final(self) -> bool:
        """Whether its content is finished."""
        return is_final(self.name)

    @property
    def final_name(self) -> str:
        """Its name without a mark, which it has when its content is finished."""
        return final(self.name)

    @property
    def holds_nothing_finished(self) -> bool:
        """Whether the volume holds only our unfinished work: content that we would make, or nothing recognisable."""
        content = self.content
        made_here = isinstance(content, Content) and is_our_content(self.identity, self.uuid, content)
        return self.ours and self.is_unfinished and (content is None or made_here)

    def uuid_of(self, kind: str) -> str:
        """The UUID that content of this type must have on the volume, as blkid shows it.

        For adopted content of this type it is the present UUID, otherwise the derived one.
        """
        if self.adopted and isinstance(self.content, Content) and self.content.type == kind:
            return self.content.uuid
        return self.made_uuid(kind)

    def made_uuid(self, kind: str) -> str:
        """The derived UUID that new content of this type gets on the volume, as blkid shows it."""
        return uuid_on_disk(kind, self.identity.filesystem(self.uuid))

    def wipe(self) -> tuple[Command, ...]:
        """Commands that erase all signatures; the first one fails if the volume is in use."""
        return wipe(self.node)

    def check_writable(self) -> None:
        """Raise ``Refused`` for a read-only volume."""
        if self.read_only:
            raise Refused(
                f"{self.path} is read-only",
                advice="see `blockdev --getro` and the disk's write protection, or name another disk",
            )

    def check_unused(self) -> None:
        """Raise ``Refused`` if the volume is in use, which consent does not cover. May raise ``LookNeeded``."""
        if self.in_use:
            advice = "subfloor never destroys what is in use; unmount or `swapoff` it, then run subfloor again"
            if self.is_unfinished:
                by_hand = "; ".join(shlex.join(command.argv) for command in self.mark(self.final_name))
                advice = (
                    f"its name says that it is unfinished, and then it is made again: if it holds data, keep it with "
                    f"`{by_hand}`; if not, unmount or `swapoff` it; then run subfloor again"
                )
            raise in_use.refusal(self.machine, self.path, self.node, self.users, advice)

    def seen_content(self) -> Content | None:
        """The content. Raises ``NotVisible`` if it is unknown."""
        if isinstance(self.content, Unknown):
            raise NotVisible(
                f"the content of {self.path} is unknown until the table of {self.disks[0]} is repaired",
                advice="a `gpt-label` task repairs it",
            )
        return self.content


def disks_of(volumes: Iterable[Volume]) -> tuple[str, ...]:
    """The paths and nodes of the whole disks that several volumes lie on, each once."""
    return tuple(dict.fromkeys(each for volume in volumes for each in volume.disks))


def locks_of(volumes: Iterable[Volume]) -> tuple[str, ...]:
    """The nodes that a step must lock to write to these volumes, each once."""
    return tuple(dict.fromkeys(each for volume in volumes for each in volume.locks))


class Location(ABC):
    """The volume that a path names in a play: a frozen value, made from the path and the play only."""

    path: str

    @abstractmethod
    def subjects(self) -> frozenset[AnySubject]:
        """All subjects that ``on`` reads."""

    def own(self, machine: Machine, identity: Identity) -> Volume | None:
        """The volume on a machine; None if it is missing, not visible yet, or not ours."""
        try:
            volume = self.on(machine, identity)
        except (Refused, NotVisible):
            return None
        return volume if volume.ours else None

    @abstractmethod
    def on(self, machine: Machine, identity: Identity) -> Volume:
        """The volume on a machine.

        Raises ``Refused`` if there is none, or if it is not the one that the play makes, and ``NotVisible``
        if it is not visible yet.
        """


Locate = Callable[[str, tuple[Task, ...]], Location]
Located = Callable[[str, tuple[Task, ...], Locate], Location | None]
