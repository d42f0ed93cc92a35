"""What stage 1 of the boot mounts and opens, and what it leaves to stage 2."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from subfloor.nixos import swaps
from subfloor.nixos.initrd import Initrd
from subfloor.nixos.layout import ALWAYS_EARLY, Layout, lies_in, source


@dataclass(frozen=True)
class Early:
    """What stage 1 needs: the paths that it mounts, the names of the containers that it opens, and whether it activates
    logical volumes."""

    mounts: frozenset[str]
    containers: frozenset[str]
    groups: bool = False


def early(layout: Layout, initrd: Initrd, read_early: Collection[str] = ()) -> Early:
    """What stage 1 needs. ``read_early``: files that are read before stage 2 mounts anything.

    A container that stage 1 opens may need a file on another filesystem, and that filesystem another container.
    """
    found = _early(layout, initrd, read_early)
    while found != (more := _early(layout, initrd, (*read_early, *_files(layout, initrd, found.containers)))):
        found = more
    return found


def _early(layout: Layout, initrd: Initrd, read_early: Collection[str]) -> Early:
    mounts = mounted_early(layout, read_early)
    devices = {each.device for each in layout.filesystems if each.path in mounts} | set(swaps.resumed(layout, initrd))
    containers = frozenset(each.name for device in devices for each in layout.containers(device))
    return Early(mounts, containers, groups=bool(devices & layout.grouped))


def _files(layout: Layout, initrd: Initrd, names: Collection[str]) -> tuple[str, ...]:
    return tuple(path for each in layout.encrypted if each.name in names for path in initrd.reads(each))


def mounted_early(layout: Layout, read_early: Collection[str] = ()) -> frozenset[str]:
    """The paths that stage 1 must mount.

    These are the paths that NixOS always mounts early, those with `needed_for_boot`, the filesystems that hold a
    store or a file that is read before stage 2 mounts anything (passwords, the machine id), and all filesystems
    that these lie on.
    """
    sources = {each.path: source(each) for each in layout.persisted if not each.linked}
    every = {each.path for each in layout.filesystems} | sources.keys()
    early = every & ALWAYS_EARLY
    early |= {each.path for each in layout.filesystems if each.needed_for_boot}
    early |= {each.path for each in layout.persisted if each.needed_for_boot} & every
    early |= {holder.path for each in (*layout.stores, *read_early) if (holder := layout.holder(each))}
    early |= {each for path in read_early for each in every if lies_in(path, each)}
    while more := {path for path in every - early if any(_stands_on(each, path, sources) for each in early)}:
        early |= more
    return frozenset(early)


def _stands_on(path: str, other: str, sources: Mapping[str, str]) -> bool:
    """Whether the mount at one path needs the mount at the other."""
    return lies_in(path, other) or (path in sources and lies_in(sources[path], other))
