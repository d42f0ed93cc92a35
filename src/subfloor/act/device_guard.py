"""Guard against a path that leads to another disk during a run.

A link below /dev/disk may point to another disk in the middle of a run, and the name of a removed disk may go
to the next one. The plan and the consent are for the first disk only.
"""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Loss
from subfloor.observe.disk import Disk, DiskState
from subfloor.storage.devices import device


def check_same_disks(planned: Machine, now: Machine) -> None:
    """Raise ``Refused`` if a disk is not the disk that the plan was made for."""
    for subject, state in now.items():
        before = planned.get(subject)
        if isinstance(state, DiskState) and isinstance(before, DiskState) and _which(before) != _which(state):
            raise Refused(
                f"{subject} is not the disk that the plan was made for: expected {before.describe()}, "
                f"found {state.describe()}",
                advice="this disk was not changed; find out why the name changed (dmesg, ls -l /dev/disk/by-id), "
                "then run subfloor again to see the plan for it",
            )


def _which(disk: DiskState) -> tuple[object, ...]:
    """What identifies a disk: its node, size, sector size, model and serial, and the sequence number of its attachment.

    The size of a mapped device is left out, since this run may change it.
    """
    size = None if disk.mapped else disk.size
    return disk.node, disk.seq, size, disk.limits.sector, disk.model, disk.serial


def disk_of(loss: Loss) -> AnySubject:
    """The disk that a loss is on, as the play names it."""
    return Disk(device(loss.device).disk)


def check_as_shown(loss: Loss, shown: Machine, now: Machine) -> None:
    """Raise ``Refused`` if the content of the disk is not what was shown when consent was given."""
    before, after = shown.get(disk_of(loss)), now.get(disk_of(loss))
    if not isinstance(before, DiskState) or not isinstance(after, DiskState):
        return
    if before != after or before.describe() != after.describe():  # labels are shown, and not compared
        raise Refused(
            f"the content of {loss.device} has changed since consent was given: expected "
            f"{before.describe()}, found {after.describe()}",
            advice="find out what changed it; then run subfloor again to see what would be lost now",
        )


def remembering(promised: Machine, seen: Machine) -> Machine:
    """``seen``, plus the parts of each disk that this run has emptied with consent: a look cannot show these."""
    disks = {
        subject: replace(state, cleared=before.cleared)
        for subject, state in seen.items()
        if isinstance(state, DiskState) and isinstance(before := promised.get(subject), DiskState)
    }
    return seen.updated(disks)
