"""The swap areas of the installed system, and from which of them it resumes after hibernation."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from subfloor.core.contributions import SwapDevice, SwapFile
from subfloor.core.errors import Refused
from subfloor.core.machine import AnySubject, Machine, Unknown
from subfloor.nixos import nix
from subfloor.nixos.layout import Layout
from subfloor.observe.path import seen
from subfloor.observe.swap_file import Offset, ResumeOffset


def settings(layout: Layout) -> Mapping[str, nix.Value]:
    """The options `swapDevices` and `boot`.

    Raises ``ValueError`` if a file for hibernation is on no filesystem that the play mounts, or is not the only one.
    """
    areas: list[nix.Value] = [*map(_device, layout.swaps), *map(_file, layout.swap_files)]
    boot = _resuming(layout)
    return {"swapDevices": areas} | ({"boot": boot} if boot else {})


def looks(layout: Layout, root: str) -> frozenset[AnySubject]:
    """Everything that ``offset`` looks at."""
    files = (each.path[1:] for each in layout.swap_files if each.hibernation)
    return frozenset(ResumeOffset(posixpath.join(root, path)) for path in files)


def offset(machine: Machine, layout: Layout, root: str) -> int | None:
    """Where the file for hibernation begins on its device, in pages: 0 without one, None if that is not known yet.

    Raises ``Refused`` if there is no such file, ``NotVisible`` if its filesystem is not mounted yet.
    """
    for subject in looks(layout, root):
        state = seen(machine, subject)
        if isinstance(state, Unknown):
            return None
        if not isinstance(state, Offset):
            raise Refused(
                f"the {subject} is not known, so the installed system could not resume from it",
                advice="put its `swap-file` task before this one; a filesystem with blocks smaller than 4 KiB cannot "
                "hold a file for hibernation; or leave `hibernation` out",
            )
        return state.pages
    return 0


def _resuming(layout: Layout) -> dict[str, nix.Value]:
    files = [each for each in layout.swap_files if each.hibernation]
    if len(files) > 1:
        raise ValueError(f"root: more than one swap file is for hibernation: {', '.join(each.path for each in files)}")
    if files:
        holder = layout.holder(files[0].path)
        if holder is None:
            raise ValueError(
                f"root: hibernation needs the device of {files[0].path}, and no task of the play mounts its filesystem"
            )
        return {"resumeDevice": holder.device, "kernelParams": [f"resume_offset={layout.resume_offset}"]}
    lasting = [each.device for each in layout.swaps if not each.random_key]
    return {"resumeDevice": lasting[0]} if lasting else {}


def _device(each: SwapDevice) -> dict[str, nix.Value]:
    found: dict[str, nix.Value] = {"device": each.device}
    if each.priority is not None:
        found["priority"] = each.priority
    if each.discard:
        found["discardPolicy"] = each.discard
    if each.random_key:
        found["randomEncryption"] = {"enable": True, **({"allowDiscards": True} if each.discard else {})}
    return found


def _file(each: SwapFile) -> dict[str, nix.Value]:
    found: dict[str, nix.Value] = {"device": each.path}
    return found if each.priority is None else found | {"priority": each.priority}
