"""Common code of the volumes that carry the mark in a sector near their end: whole disks and arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.core.task import Command, Loss
from subfloor.observe.disk import UNKNOWN_DATA, Content, Disk, DiskState, Holdings
from subfloor.steps.losses import loss
from subfloor.steps.volumes.volume import Volume
from subfloor.storage.end_mark import EndMark, place
from subfloor.storage.filesystems import LAYERS, TOOLS
from subfloor.storage.marks import LABELLING


@dataclass(frozen=True, kw_only=True)
class EndMarked(Volume):
    """A volume whose mark is a sector near its end. ``disk``: the state of the device."""

    disk: DiskState

    def mark(self, name: str) -> tuple[Command, ...]:
        """Commands that write and flush the mark that ``name`` ends in. If ``name`` is final, they erase the mark.

        Raises ``LookNeeded``, and ``Refused`` if a label change finds no place for its mark.
        """
        if name.endswith(LABELLING):
            self._check_room_for_mark()
        return (written(replace(self.disk, mark=self.marked(name))),)

    def holding(self, content: Content | None, name: str, *, known: bool = True) -> Machine:
        """The machine after the volume got this content and name."""
        mark = self.marked(name)
        signatures = (content.type,) if content else (UNKNOWN_DATA,) if mark else ()
        disk = replace(self.disk, content=content, signatures=signatures, mark=mark)
        return self.machine.with_(Disk(self.path), disk)

    def losses(self, about: str) -> tuple[Loss, ...]:
        """The losses of a step that destroys the content of the volume. Raises ``LookNeeded``."""
        lost = loss(self.machine, self.path, self.disk)
        return (replace(lost, what=f"{lost.what} ({about})"),)

    def marked(self, name: str) -> EndMark | None:
        """The mark with the stage that a name ends in; None for a final name."""
        stage = name.removeprefix(self.final_name)
        return EndMark(self.uuid, stage) if stage else None

    def _check_room_for_mark(self) -> None:
        """Raise ``Refused`` if the filesystem may cover the place of the mark: another program made it larger."""
        held = self.machine.further(Holdings(self.path, ((0, self.size),)))
        size = next((each.size for each in held if each.start == 0), 0)
        if self.disk.mark is None and not 0 < size <= place(self.size):
            raise Refused(
                f"the filesystem on {self.path} fills the disk to its end, so there is no place for the mark "
                "that subfloor needs while it changes a label",
                advice="change the label with the filesystem's own program, then run subfloor again",
            )


def written(disk: DiskState) -> Command:
    """A command that writes ``disk.mark`` to the device and flushes it. If there is no mark, it writes zeros there."""
    mark, sector = disk.mark, disk.limits.sector
    at = (f"of={disk.node}", f"bs={sector}", f"seek={place(disk.size) // sector}", "count=1", "iflag=fullblock")
    # One sector, filled up with zeros (sync), so it is written as a whole or not at all.
    how = ("conv=sync,notrunc,fsync", "status=none")
    return Command(("dd", *(() if mark else ("if=/dev/zero",)), *at, *how), stdin=mark.bytes if mark else b"")


def unexpected(disk: DiskState) -> Content | None:
    """Signatures that wipefs(8) finds on the disk and that subfloor never makes, as one content; None without any."""
    found = sorted(set(disk.signatures) - {UNKNOWN_DATA, *TOOLS, *LAYERS})
    return Content(", ".join(found)) if found else None
