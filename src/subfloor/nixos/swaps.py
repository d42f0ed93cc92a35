"""The swap areas of the installed system, and from which of them it resumes after hibernation."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from subfloor.core.contributions import SwapDevice, SwapFile
from subfloor.core.errors import Refused
from subfloor.core.machine import AnySubject, Machine, Unknown
from subfloor.nixos import nix
from subfloor.nixos.initrd import Initrd
from subfloor.nixos.layout import Layout
from subfloor.observe.path import seen
from subfloor.observe.swap_file import Offset, ResumeOffset


def settings(layout: Layout, initrd: Initrd) -> Mapping[str, nix.Value]:
    """The options `swapDevices` and `boot`.

    Raises ``ValueError`` if a file for hibernation is on no filesystem that the play mounts, or is not the only one.
    """
    areas: list[nix.Value] = [*map(_device, layout.swaps), *map(_file, layout.swap_files)]
    boot = _resuming(layout, initrd)
    return {"swapDevices": areas} | ({"boot": boot} if boot else {})


def looks(layout: Layout, root: str) -> frozenset[AnySubject]:
    """All subjects that ``offset`` reads."""
    files = (each.path[1:] for each in layout.swap_files if each.hibernation)
    return frozenset(ResumeOffset(posixpath.join(root, path)) for path in files)


def offset(machine: Machine, layout: Layout, root: str) -> int | None:
    """Where the swap file for hibernation begins on its device, in pages; None if a step has yet to make the file.

    0 if no file is declared for hibernation. Raises ``Refused`` if the declared file has no known place, and
    ``NotVisible`` if its filesystem is not mounted yet.
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


def resumed(layout: Layout, initrd: Initrd) -> tuple[str, ...]:
    """The device that the system resumes from after hibernation, if there is one.

    A swap area is chosen only if the initrd can open it before it mounts anything. Raises ``ValueError`` if a file for
    hibernation is on no filesystem that the play mounts, is not the only one, or cannot be opened in time.
    """
    files = [each for each in layout.swap_files if each.hibernation]
    if len(files) > 1:
        raise ValueError(
            f"root: more than one swap file is declared for hibernation: {', '.join(each.path for each in files)}"
        )
    if files:
        return (_holder(layout, initrd, files[0].path),)
    lasting = (each.device for each in layout.swaps if not each.random_key)
    return tuple(device for device in lasting if initrd.opens_first(layout, device))[:1]


def _holder(layout: Layout, initrd: Initrd, path: str) -> str:
    holder = layout.holder(path)
    if holder is None:
        raise ValueError(f"root: hibernation needs the device of {path}, and no task of the play mounts its filesystem")
    if not initrd.opens_first(layout, holder.device):
        raise ValueError(
            f"root: the system resumes from {path} before it mounts anything, and opening its container needs a file; "
            "give that container a passphrase or a token instead, or leave `hibernation` out"
        )
    return holder.device


def _resuming(layout: Layout, initrd: Initrd) -> dict[str, nix.Value]:
    boot: dict[str, nix.Value] = {}
    for device in resumed(layout, initrd):
        boot["resumeDevice"] = device
    if any(each.hibernation for each in layout.swap_files):
        boot["kernelParams"] = [f"resume_offset={layout.resume_offset}"]
    return boot


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
