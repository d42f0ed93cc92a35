"""Find the devices of filesystems that a play names by a label or UUID."""

from __future__ import annotations

from collections.abc import Iterable

from subfloor.core.errors import NotVisible
from subfloor.core.machine import AnySubject, Machine, Unknown
from subfloor.nixos.layout import Layout
from subfloor.observe.disk import Content, Disk, DiskState
from subfloor.steps import block_devices

_BY_UUID = "/dev/disk/by-uuid/"


def by_label(play: Iterable[object]) -> dict[str, str]:
    """The devices on which tasks of the play make a filesystem with a label, by udev's link for that label."""
    found: dict[str, str] = {}
    for task in play:
        label, device = str(getattr(task, "label", "")), str(getattr(task, "device", ""))
        if getattr(task, "key", "") == "mkfs" and label:
            found[block_devices.link(f"LABEL={label}")] = device
    return found


def looks(layout: Layout) -> frozenset[AnySubject]:
    """All subjects that ``located`` reads: the insides of containers, and logical volumes.

    Nothing if the play finds no filesystem by its UUID.
    """
    tagged = any(each.device.startswith(_BY_UUID) for each in layout.filesystems)
    appearing = (*(each.path for each in layout.encrypted), *(each.path for each in layout.logical))
    return frozenset(map(Disk, appearing)) if tagged else frozenset()


def located(machine: Machine, layout: Layout) -> Layout:
    """The layout that shows for each filesystem which containers hold it, even if the play finds it by its UUID.

    Raises ``NotVisible`` for a container that is not open yet.
    """
    found: dict[str, str] = {}
    for subject in looks(layout):
        assert isinstance(subject, Disk)
        state = machine[subject]
        if isinstance(state, Unknown):
            raise NotVisible(
                f"the UUID of the filesystem on {subject.path} is {state}",
                advice="its `luks` task opens it; a check opens nothing",
            )
        if isinstance(state, DiskState) and isinstance(state.content, Content):
            found[_BY_UUID + state.content.uuid] = subject.path
    return layout.stacked(found)
