"""Remove partitions that are ours but not as declared. Pure."""

from __future__ import annotations

from subfloor.core.errors import Refused
from subfloor.core.task import Step
from subfloor.observe.disk import Content
from subfloor.steps import in_use, partitioning
from subfloor.steps.losses import losses_of_partitions
from subfloor.steps.ownership import holds_nothing_finished, is_our_content, is_our_partition
from subfloor.steps.partitioning import check_expressible, extent, tellable, without_partitions
from subfloor.steps.partitions.declared import Partition
from subfloor.steps.partitions.labelled import LabelledDisk
from subfloor.storage.gpt import Entry
from subfloor.storage.marks import final

_ANEW = (
    "to start over on the whole disk, give it another name with `disk:` in `wipefs` and `gpt-label`, and consent with "
    "`--destroy DEVICE`"
)


_OTHERWISE = (
    "choose a free number; or remove this task, and make a filesystem on the partition as it is with `mkfs`, with "
    f"consent for it; {_ANEW}"
)


def may_go(on: LabelledDisk, declared: Partition, entry: Entry) -> bool:
    """Whether the partition is ours and unused, and no earlier task of the play declares it."""
    volume = on.disk.volume(entry.number)
    declared_before = (entry.number, final(entry.name)) in declared.earlier
    used = bool(volume and volume.in_use)
    return is_our_partition(declared.identity, on.table, entry) and not declared_before and not used


def of_this_name(on: LabelledDisk, declared: Partition) -> Entry | None:
    """Another partition that has the declared name, finished or not; None if there is none."""
    others = (entry for entry in on.table.entries if entry.number != declared.number)
    return next((entry for entry in others if final(entry.name) == declared.name), None)


def remove_namesake(on: LabelledDisk, declared: Partition, entry: Entry) -> Step:
    """A step that removes ``entry``, another partition with the declared name. Raises ``Refused`` if it must stay."""
    if may_go(on, declared, entry):
        return remove(on, declared, (entry,), f"the play now uses its name for partition {declared.number}")
    raise Refused(
        f"{on.path} already has a partition named {declared.name!r}, number {entry.number}",
        advice="choose another name, or that number; existing partitions are never renumbered",
    )


def replace_(on: LabelledDisk, declared: Partition, there: Entry) -> Step:
    """A step that removes another partition with the declared number. Raises ``Refused`` if that one is foreign."""
    if is_our_partition(declared.identity, on.table, there):
        return remove(on, declared, (there,), f"{declared.name!r} is declared in its place")
    raise Refused(
        f"{_found(on, there)} is not the {declared.name!r} that this play makes: it has another UUID",
        advice=_back(on, declared, there) or _OTHERWISE,
    )


def _back(on: LabelledDisk, declared: Partition, there: Entry) -> str:
    """How a changed UUID is set back, if the content of the partition shows that this play made it; "" otherwise."""
    ours, volume = declared.uuid(on.table), on.disk.volume(there.number)
    content = volume.content if volume else None
    made = isinstance(content, Content) and content.uuid and is_our_content(declared.identity, ours, content)
    if not made or final(there.name) != declared.name:
        return ""
    return (
        "its content has the UUID that this play gives, so only that of the partition was changed; set it back with "
        f"`sfdisk --no-reread --part-uuid {on.path} {there.number} {ours}`, then run subfloor again"
    )


def remove(on: LabelledDisk, declared: Partition, gone: tuple[Entry, ...], why: str) -> Step:
    """A step that removes these partitions. Raises ``Refused`` if one is in use, and ``LookNeeded``."""
    disk, identity = on.disk, declared.identity
    tellable(on.path, disk)
    check_expressible(on.path, on.table)
    for entry in gone:
        _check_unused(on, entry, why)
    listed = ", ".join(f"{entry.number} {entry.name!r} ({extent(disk, entry)})" for entry in gone)
    finished = [
        entry for entry in gone if not holds_nothing_finished(identity, on.table, entry, disk.volume(entry.number))
    ]
    return on.step(
        says=f"Remove partition {listed} of {on.path}: {why}",
        commands=partitioning.remove(disk, gone),
        after=without_partitions(disk, gone),
        destroys=losses_of_partitions(on.machine, on.path, disk, finished, why),
    )


def _check_unused(on: LabelledDisk, entry: Entry, why: str) -> None:
    volume = on.disk.volume(entry.number)
    if volume and volume.in_use:
        what = f"{_found(on, entry)} would be removed ({why}), and"
        advice = (
            "declare the partition as it is now; or, to have it made again without what it holds, unmount or `swapoff` "
            "it, run subfloor again, and consent"
        )
        raise in_use.refusal(on.machine, what, on.disk.partition_node(entry.number), volume.users, advice)


def _found(on: LabelledDisk, there: Entry) -> str:
    return f"partition {there.number} of {on.path} ({there.name!r}, {extent(on.disk, there)})"
