"""A step that makes an array over volumes, and gives these their final names last. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.core.task import Command, Loss, Step
from subfloor.observe.array import Array, ArraysNamed
from subfloor.observe.disk import UNKNOWN_DATA, Disk, DiskState, Limits, Missing
from subfloor.steps.arrays.declared import Declared
from subfloor.steps.partitioning import erase
from subfloor.steps.volumes import Location, Volume, locks_of
from subfloor.steps.volumes.end_marked import written
from subfloor.storage import arrays, end_mark
from subfloor.storage.marks import UNFINISHED
from subfloor.storage.sizes import MIB


def make(machine: Machine, places: Sequence[Location], volumes: Sequence[Volume], declared: Declared) -> Step:
    """A step that makes the array. If an interrupted run left the array, the step stops it first.

    The members get their final names last, after all else succeeded. Raises ``Refused`` and ``LookNeeded``.
    """
    old = _old(machine, volumes, declared)
    for each in volumes:
        each.check_writable()
        if old is None or each.node not in old.members:
            each.check_unused()
    disk = _disk(volumes, declared)
    lost = [each for each in volumes if not each.holds_nothing_finished]
    return Step(
        says=f"Make {declared.path}, {declared.geometry} over {', '.join(declared.devices)}",
        commands=(
            *([Command(("mdadm", "--stop", old.node))] if old else ()),
            *(command for each in volumes for command in _emptied(each)),
            _create(volumes, declared),
            # What an earlier array held at the same place must not come back.
            *erase(disk),
            *([written(disk)] if disk.mark else []),
            *(command for each in volumes for command in each.mark(each.final_name)),
        ),
        after=_after(machine, places, volumes, declared)
        .with_(Disk(declared.path), disk)
        .with_(ArraysNamed(declared.name), _with(machine, declared, _array(volumes, declared))),
        destroys=tuple(_losses(lost)),
        locks=locks_of(volumes),
    )


def _old(machine: Machine, volumes: Sequence[Volume], declared: Declared) -> Array | None:
    """Our array in the kernel, which an interrupted run left; None if there is none.

    Raises ``Refused`` if our array has other members than declared, or if another device has its path.
    """
    wanted = str(volumes[0].identity.array(declared.name))
    found = [each for each in machine[ArraysNamed(declared.name)] if each.uuid == wanted]
    elsewhere = {node for each in found for node in each.members} - {each.node for each in volumes}
    if elsewhere:
        raise Refused(
            f"the array {declared.name!r} of this play exists already, on {', '.join(sorted(elsewhere))}",
            advice="declare these as its `devices`; or, for another array, choose another `name`",
        )
    if not found and not isinstance(machine[Disk(declared.path)], Missing):
        raise Refused(
            f"{declared.path} is not the array that this play makes",
            advice="stop it (`mdadm --stop`), or choose another `name`; `mdadm --detail` shows what it is",
        )
    return found[0] if found else None


def _emptied(volume: Volume) -> Iterator[Command]:
    yield from volume.reveal()
    # The mark of an interrupted label change goes first: a wiped volume with it would look damaged.
    yield from volume.mark(volume.final_name) if volume.is_labelling else ()
    yield from volume.wipe()
    yield from () if volume.is_unfinished else volume.mark(volume.final_name + UNFINISHED)


def _sizes(volumes: Sequence[Volume], declared: Declared) -> list[int]:
    return [declared.room(each) for each in volumes]


def _create(volumes: Sequence[Volume], declared: Declared) -> Command:
    argv = ("mdadm", "--create", declared.path, "--run", "--quiet", *_how(volumes, declared))
    return Command((*argv, *(each.node for each in volumes)))


def _how(volumes: Sequence[Volume], declared: Declared) -> Iterator[str]:
    """The options that leave nothing for mdadm to choose."""
    geometry, uuid = declared.geometry, volumes[0].identity.array(declared.name)
    yield from (f"--level={geometry.level}", f"--raid-devices={len(volumes)}", f"--metadata={declared.metadata}")
    yield from (f"--uuid={uuid}", f"--name={declared.name}", f"--homehost={arrays.HOMEHOST}")
    if geometry.is_redundant:
        yield from (f"--size={geometry.given(_sizes(volumes, declared)) // 1024}", "--bitmap=internal")
    if geometry.is_striped:
        yield f"--chunk={geometry.chunk // 1024}"
    if layout := geometry.md_layout:
        yield f"--layout={layout}"
    if geometry.has_parity:
        # Otherwise mdadm makes it with a member missing, which the kernel does not start after a power cut.
        yield "--force"
    if declared.metadata != arrays.AT_THE_END:
        yield f"--data-offset={arrays.DATA_OFFSET // 1024}"


def _disk(volumes: Sequence[Volume], declared: Declared) -> DiskState:
    """The array as a device. Raises ``Refused`` if it would be too small."""
    sizes = _sizes(volumes, declared)
    small = min(range(len(sizes)), key=sizes.__getitem__)
    if min(sizes) < 2 * MIB or declared.geometry.size(sizes) < 2 * MIB:
        raise Refused(
            f"{volumes[small].path} is too small for a member of an array",
            advice="give the partition more `size`: the array's own data takes 16MiB of it",
        )
    mark = None if declared.raw else end_mark.EndMark(volumes[0].identity.array(declared.name), UNFINISHED)
    return DiskState(
        node=declared.path,
        size=declared.geometry.size(sizes),
        limits=Limits(sector=max(each.sector for each in volumes)),
        mark=mark,
        signatures=(UNKNOWN_DATA,) if mark else (),
    )


def _array(volumes: Sequence[Volume], declared: Declared) -> Array:
    return Array(
        uuid=str(volumes[0].identity.array(declared.name)),
        node=declared.path,
        level=f"raid{declared.geometry.level}",
        count=len(volumes),
        each=declared.geometry.each(_sizes(volumes, declared)),
        chunk=declared.geometry.chunk,
        layout=declared.geometry.layout,
        metadata=declared.metadata,
        members=frozenset(each.node for each in volumes),
    )


def _with(machine: Machine, declared: Declared, array: Array) -> tuple[Array, ...]:
    others = (each for each in machine[ArraysNamed(declared.name)] if each.uuid != array.uuid)
    return tuple(sorted((*others, array), key=lambda each: each.uuid))


def _after(machine: Machine, places: Sequence[Location], volumes: Sequence[Volume], declared: Declared) -> Machine:
    """The machine after every volume became a member. Two volumes may lie on one disk, so each is located again."""
    for place in places:
        volume = place.on(machine, volumes[0].identity)
        machine = volume.holding(declared.content(volume.identity), volume.final_name)
    return machine


def _losses(volumes: Sequence[Volume]) -> Iterator[Loss]:
    for each in volumes:
        yield from each.losses("not made by this play" if each.is_unfinished else "finished once")
