"""A step that assembles an array that was made before; a check assembles nothing. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine, Unknown
from subfloor.core.task import Command, Step
from subfloor.observe.array import Array, ArraysNamed
from subfloor.observe.disk import Disk, Missing, Unopened
from subfloor.steps.arrays.declared import Declared, is_member, kept, without
from subfloor.steps.volumes import Volume, locks_of


def assemble(machine: Machine, volumes: Sequence[Volume], declared: Declared, stopped: Array | None) -> Step:
    """A step that assembles the array. ``stopped``: the kernel's array, if it is not started. Raises ``Refused``."""
    _check_complete(volumes, declared, stopped)
    if not isinstance(machine[Disk(declared.path)], Missing):
        raise Refused(
            f"{declared.path} is not the array that this play makes",
            advice="stop it (`mdadm --stop`), or choose another `name`; `mdadm --detail` shows what it is",
        )
    uuid = str(volumes[0].identity.array(declared.name))
    nodes = tuple(each.node for each in volumes)
    inside = Unopened(f"the array {declared.name} is assembled")
    return Step(
        says=f"Assemble {declared.path} from {', '.join(declared.devices)}",
        commands=(
            *(command for each in volumes for command in each.reveal()),
            *([Command(("mdadm", "--stop", stopped.node))] if stopped else ()),
            Command(
                ("mdadm", "--assemble", declared.path, f"--uuid={uuid}", *nodes),
                advice=f"`mdadm --examine {nodes[0]}` shows what a member knows; an array with parity that lost a "
                "member while it was written to starts only with `--force`: copy the disks first",
            ),
        ),
        after=machine.updated({Disk(declared.path): inside, ArraysNamed(declared.name): Unknown()}),
        locks=locks_of(volumes),
    )


def _check_complete(volumes: Sequence[Volume], declared: Declared, stopped: Array | None) -> None:
    """Raise ``Refused`` if a member is missing: only a person can decide to use the array without it."""
    there = kept(volumes, declared)
    missing = ", ".join(each.path for each in volumes if not is_member(each, declared))
    if missing:
        raise Refused(
            f"{declared.path} is not assembled, and {missing} is not a member of it",
            advice=without(declared, tuple(each.node for each in there), stopped.node if stopped else ""),
        )
