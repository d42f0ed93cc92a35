"""Steps that bring the members of an assembled array into sync. They never change the content of the array. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine, Unknown
from subfloor.core.task import Command, Loss, Step
from subfloor.observe.array import Array, ArraysNamed, MemberOf
from subfloor.steps.arrays.declared import Declared, is_member
from subfloor.steps.volumes import Volume, locks_of
from subfloor.storage.marks import UNFINISHED
from subfloor.storage.sizes import show


def mended(machine: Machine, volumes: Sequence[Volume], declared: Declared, array: Array) -> Step | None:
    """A step that adds a missing member, or finishes a new one; None if the members are in sync.

    Raises ``Refused`` and ``LookNeeded``.
    """
    check_as_declared(volumes, declared, array)
    for each in volumes:
        if each.node not in array.members:
            return _added(machine, each, declared, array)
        if not each.is_final:
            return _finished(each)
    return None


def check_as_declared(volumes: Sequence[Volume], declared: Declared, array: Array) -> None:
    """Raise ``Refused`` if the array is not of the declared shape, has failed, or has a faulty member."""
    _check_geometry(declared, array)
    nodes = {each.node for each in volumes}
    if array.count != len(volumes) or array.members - nodes:
        raise Refused(
            f"{declared.path} has {array.count} members ({', '.join(sorted(array.members))}), but "
            f"{len(volumes)} are declared ({', '.join(each.path for each in volumes)})",
            advice=f"declare what it is; to change it, see `mdadm --grow`: {_COPY}",
        )
    _check_alive(declared, array)
    if failed := sorted(array.faulty):
        raise Refused(
            f"{declared.path} is degraded: the kernel has marked {', '.join(failed)} as faulty",
            advice=f"look at the disk (dmesg, `smartctl --all`); if it is sound, `mdadm {declared.path} --remove "
            f"{failed[0]}`, and run subfloor again; otherwise replace it",
        )


def _check_geometry(declared: Declared, array: Array) -> None:
    """Raise ``Refused`` if the array has another level, chunk, layout or metadata: nothing is reshaped."""
    wanted = declared.geometry
    differences = (
        (f"is a {array.level}", str(wanted), array.level == f"raid{wanted.level}"),
        (f"has chunks of {show(array.chunk)}", show(wanted.chunk), array.chunk == wanted.chunk),
        (f"has the layout {array.layout}", wanted.layout, array.layout == wanted.layout),
        (f"has metadata {array.metadata}", declared.metadata, array.metadata == declared.metadata),
    )
    if different := next(((found, asked) for found, asked, same in differences if not same), None):
        raise Refused(
            f"{declared.path} {different[0]}, but {different[1]} is declared",
            advice=f"declare what it is; to change it, see GROW MODE in mdadm(8): {_COPY}",
        )


def _check_alive(declared: Declared, array: Array) -> None:
    """Raise ``Refused`` if the array has lost more members than its level allows: new members cannot repair it."""
    lost = array.count - len(array.members)
    if array.broken or lost > declared.may_lose:
        missing = f"{lost} of its {array.count} members are missing or faulty"
        raise Refused(
            f"{declared.path} has failed: {missing if lost else 'the kernel cannot reach all of its members'}",
            advice="do not write to the array; check the disks (dmesg, `smartctl --all`), stop the array (`mdadm "
            f"--stop {declared.path}`), attach the missing members, then run subfloor again; if the members have "
            "different event counts (`mdadm --examine`), copy the members before you use `mdadm --assemble --force`",
        )


_COPY = "copy what is in it first"


def as_degraded(error: Refused, declared: Declared, array: Array | Unknown | None) -> Refused:
    """The error for a missing member: ``error``, or that the array is degraded if it runs without the member."""
    if not isinstance(array, Array) or len(array.members) == array.count:
        return error
    return Refused(
        f"{declared.path} is degraded: {error.what}",
        advice=f"attach the disk, or put a new one in its place, which the play then lays out and adds; {error.advice}",
    )


def _added(machine: Machine, volume: Volume, declared: Declared, array: Array) -> Step:
    volume.check_writable()
    volume.check_unused()
    if not is_member(volume, declared):
        return _new(machine, volume, declared, array, () if volume.holds_nothing_finished else _losses(volume))
    seen = machine.further(MemberOf(volume.node))
    if seen is None or seen.uuid != array.uuid or seen.alone:
        return _new(machine, volume, declared, array, _losses(volume, "a former member of the array, changed since"))
    return _step(
        machine,
        volume,
        declared,
        array,
        says=f"Add {volume.path} to {declared.path} again, which was degraded",
        commands=(
            *volume.reveal(),
            Command(
                ("mdadm", declared.path, "--re-add", volume.node),
                advice="if its content is too old for that, erase it with `mdadm --zero-superblock "
                f"{volume.node}`; then run subfloor again, which asks before it adds the partition as a new member",
            ),
            *(() if volume.is_final else volume.mark(volume.final_name)),
        ),
    )


def _new(machine: Machine, volume: Volume, declared: Declared, array: Array, lost: tuple[Loss, ...]) -> Step:
    """A step that adds a volume as a new member, to which the kernel then copies the array's data."""
    _check_room(volume, declared, array)
    step = _step(
        machine,
        volume,
        declared,
        array,
        says=f"Add {volume.path} to {declared.path} as a new member",
        commands=(
            *volume.reveal(),
            *(volume.mark(volume.final_name) if volume.is_labelling else ()),
            *volume.wipe(),
            *(() if volume.is_unfinished else volume.mark(volume.final_name + UNFINISHED)),
            Command(("mdadm", declared.path, "--add", volume.node)),
            *volume.mark(volume.final_name),
        ),
    )
    return replace(step, destroys=lost)


def _step(
    machine: Machine, volume: Volume, declared: Declared, array: Array, says: str, commands: tuple[Command, ...]
) -> Step:
    others = (each for each in machine[ArraysNamed(declared.name)] if each.uuid != array.uuid)
    now = replace(array, members=array.members | {volume.node})
    after = volume.holding(declared.content(volume.identity), volume.final_name).with_(
        ArraysNamed(declared.name), tuple(sorted((*others, now), key=lambda each: each.uuid))
    )
    return Step(says, commands, after, locks=locks_of((volume,)))


def _finished(volume: Volume) -> Step:
    """A step that gives a member its final name: a run was interrupted after it added the member or made the array."""
    return Step(
        says=f"Mark {volume.path} as finished",
        commands=volume.mark(volume.final_name),
        after=volume.holding(volume.seen_content(), volume.final_name, known=volume.known),
        locks=volume.locks,
    )


def _losses(volume: Volume, why: str = "") -> tuple[Loss, ...]:
    return volume.losses(why or ("not made by this play" if volume.is_unfinished else "finished once"))


def _check_room(volume: Volume, declared: Declared, array: Array) -> None:
    if declared.room(volume) < array.each:
        raise Refused(
            f"{volume.path} is too small for {declared.path}, whose members hold {show(array.each)} of data each",
            advice="give the partition more `size`, or name a larger disk",
        )
