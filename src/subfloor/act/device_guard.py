"""A path leads to one disk for as long as a run lasts.

A link below /dev/disk may come to mean another disk in mid-run, and a disk that is pulled out may leave
its name to the next one. What was planned, shown and consented to was the first.
"""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Loss
from subfloor.observe.disk import Disk, DiskState
from subfloor.storage.devices import device


def check_same_disks(planned: Machine, now: Machine) -> None:
    """Raise ``Refused`` where a disk is another one than was planned for."""
    for subject, state in now.items():
        before = planned.get(subject)
        if isinstance(state, DiskState) and isinstance(before, DiskState) and _which(before) != _which(state):
            raise Refused(
                f"{subject} is not the one that was planned for: that was {before.describe()}, "
                f"and this is {state.describe()}",
                advice="nothing was done to this one; see why the name changed hands (dmesg, ls -l /dev/disk/by-id), "
                "then run this again to be shown what would be done to it",
            )


def _which(disk: DiskState) -> tuple[object, ...]:
    """What tells a disk from every other: its node, what it says of itself, and when it was attached."""
    return disk.node, disk.seq, disk.size, disk.limits.sector, disk.model, disk.serial


def disk_of(loss: Loss) -> AnySubject:
    """The disk that a loss is on, as the play names it."""
    return Disk(device(loss.device).disk)


def check_as_shown(loss: Loss, shown: Machine, now: Machine) -> None:
    """Raise ``Refused`` where what would be lost is not what was shown when consent was given."""
    before, after = shown.get(disk_of(loss)), now.get(disk_of(loss))
    if not isinstance(before, DiskState) or not isinstance(after, DiskState):
        return
    if before != after or before.describe() != after.describe():  # labels are shown, and not compared
        raise Refused(
            f"what is on {loss.device} is not what was shown when its loss was agreed to: that was "
            f"{before.describe()}, and now it is {after.describe()}",
            advice="find out what changed it; then run this again to see what would be lost now",
        )


def remembering(promised: Machine, seen: Machine) -> Machine:
    """What was seen, and of each disk what may be lost on it: that was agreed to for this run, and no look shows it."""
    disks = {
        subject: replace(state, cleared=before.cleared)
        for subject, state in seen.items()
        if isinstance(state, DiskState) and isinstance(before := promised.get(subject), DiskState)
    }
    return seen.updated(disks)
