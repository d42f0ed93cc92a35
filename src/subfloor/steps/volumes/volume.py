"""What every volume has in common, and what each kind of volume answers in a file of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from subfloor.core.errors import NotVisible, Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine, Unknown
from subfloor.core.task import Command, Loss, Step, Task
from subfloor.observe.disk import Content
from subfloor.steps.ownership import is_our_content
from subfloor.steps.partitioning import wipe
from subfloor.storage.marks import LABELLING, UNFINISHED, final, is_final


@dataclass(frozen=True, kw_only=True)
class Volume(ABC):
    """A volume on a machine, as the task sees it that fills it.

    ``path``: as the play names it; ``node``: the kernel's own. ``size`` and ``sector``: in bytes. ``name``: the name
    that the layer below keeps for it, with the mark that shows how far it has come (``storage/marks``). ``uuid``:
    the volume's own, from which those of its content are derived. ``ours``: this play made it. ``known``: the kernel
    has it as the layer below says. ``disks``: the paths and nodes of the whole disks that it lies on; ``locks``: the
    nodes among them.
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
    users: tuple[str, ...] = ()
    in_use: bool = False
    read_only: bool = False
    known: bool = True
    disks: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()

    @abstractmethod
    def reveal(self) -> tuple[Command, ...]:
        """Commands after which the kernel has the volume; none where it has it."""

    @abstractmethod
    def mark(self, name: str) -> tuple[Command, ...]:
        """Commands that give the volume another name, in one write that a crash does not tear, and flush it."""

    @abstractmethod
    def holding(self, content: Content | None, name: str, *, known: bool = True) -> Machine:
        """The machine once the volume holds this content, under this name."""

    @abstractmethod
    def losses(self, about: str) -> tuple[Loss, ...]:
        """What the volume holds, as what a step destroys; ``about`` says why. Raises ``LookNeeded``."""

    @abstractmethod
    def take_over(self) -> Step:
        """A step after which this play owns the volume, which another system made; its content is lost.

        Raises ``Refused`` where that cannot be.
        """

    @property
    @abstractmethod
    def whole(self) -> str:
        """The node of the whole device that it is, or is a part of."""

    @property
    def is_unfinished(self) -> bool:
        """Whether its content was never finished."""
        return self.name.endswith(UNFINISHED)

    @property
    def is_labelling(self) -> bool:
        """Whether its content was being labelled when a run was interrupted."""
        return self.name.endswith(LABELLING)

    @property
    def is_final(self) -> bool:
        """Whether its content is finished."""
        return is_final(self.name)

    @property
    def final_name(self) -> str:
        """Its name once its content is finished."""
        return final(self.name)

    @property
    def holds_nothing_finished(self) -> bool:
        """Whether it is unfinished work of our own: what we would have made there, or nothing recognisable."""
        content = self.content
        made_here = isinstance(content, Content) and is_our_content(self.identity, self.uuid, content)
        return self.ours and self.is_unfinished and (content is None or made_here)

    def wipe(self) -> tuple[Command, ...]:
        """Commands that leave no signature on it; the first fails where anything uses it."""
        return wipe(self.node)

    def check_writable(self) -> None:
        """Raise ``Refused`` for a volume that can only be read."""
        if self.read_only:
            raise Refused(
                f"{self.path} is read-only",
                advice="see `blockdev --getro` and the disk's write protection, or name another disk",
            )

    def check_unused(self) -> None:
        """Raise ``Refused`` for a volume that is in use: no consent covers that."""
        if self.in_use:
            raise Refused(
                f"{self.path} is in use: {', '.join(self.users)}",
                advice="what is in use is never destroyed; unmount it, or `swapoff`, then run this again",
            )

    def seen_content(self) -> Content | None:
        """What it holds. Raises ``NotVisible`` where that cannot be seen."""
        if isinstance(self.content, Unknown):
            raise NotVisible(
                f"what {self.path} holds cannot be seen until the table of {self.disks[0]} is repaired",
                advice="a `gpt-label` task repairs it",
            )
        return self.content


class Location(ABC):
    """Which volume a path means: a frozen value, from the path and the play alone."""

    path: str

    @abstractmethod
    def subjects(self) -> frozenset[AnySubject]:
        """Everything that ``on`` looks at."""

    @abstractmethod
    def on(self, machine: Machine, identity: Identity) -> Volume:
        """The volume on a machine.

        Raises ``Refused`` where there is none, or where it is another one than the play makes, and ``NotVisible``
        where it cannot be seen yet.
        """


Locate = Callable[[str, tuple[Task, ...]], Location]
Located = Callable[[str, tuple[Task, ...], Locate], Location | None]
