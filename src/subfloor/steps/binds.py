"""Bind mounts from a persistent store: whether a mount is the declared bind, and the steps that make it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import Literal

from subfloor.core.errors import Refused
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Command, Step
from subfloor.observe.hidden import Hidden
from subfloor.observe.mount import Mount, Mounted, UnderlyingMount, mounting
from subfloor.observe.path import DIRECTORY, FILE, Absent, Node, NotYetVisible, Path, PathState, mode_of
from subfloor.steps import mounts, paths

Kind = Literal["directory", "file"]


@dataclass(frozen=True, kw_only=True)
class Bind:
    """A file or directory in a store, ``source``, and the path where it is shown, ``target``.

    ``kind``, ``owner``, ``group`` and ``mode`` (in octal) are those of the source. The paths are valid now, with the
    install root in them.
    """

    source: str
    target: str
    kind: Kind
    owner: str
    group: str
    mode: str

    @property
    def node(self) -> Node:
        """The desired state of the source."""
        return paths.node(self.node_kind, self.owner, self.group, self.mode)

    @property
    def node_kind(self) -> str:
        """The kind, in the words of ``Node``."""
        return FILE if self.kind == "file" else DIRECTORY

    @property
    def hidden(self) -> Hidden:
        """The subject that shows what the bind would hide."""
        return Hidden(self.target, self.source)

    def subjects(self) -> frozenset[AnySubject]:
        """Everything to look at before the bind is made."""
        looks: set[AnySubject] = {Mount(self.target), Path(self.target), self.hidden}
        return paths.accounts(self.owner, self.group) | looks | {Path(self.source), UnderlyingMount(self.source)}

    def mounted(self, machine: Machine) -> Mounted:
        """The bind as the kernel lists it: the filesystem of the store, and the place of the source in it.

        Raises ``Refused`` if that filesystem is not visible.
        """
        cover = machine[UnderlyingMount(self.source)]
        if not cover.source:
            raise Refused(
                f"the filesystem that holds {self.source} is not visible",
                advice="run this outside of a chroot, with `root` where the chroot is",
            )
        return Mounted(cover.source, cover.type, cover.inside(self.source))


def check_bound(machine: Machine, bind: Bind, top: Mounted) -> None:
    """Raise ``Refused`` unless the declared bind is what is mounted at its target."""
    wanted = bind.mounted(machine)
    if top.is_(wanted):
        return
    # The kernel marks a directory that was removed from its filesystem like this (fs/proc_namespace.c).
    if top.root.endswith("//deleted"):
        was = top.root.removesuffix("//deleted")
        raise Refused(
            f"the directory that is bound to {bind.target} was deleted: {was} in {top.source}",
            advice=f"its content is lost when the bind goes away; run `umount {bind.target}`, then run subfloor again",
        )
    raise mounts.elsewhere(bind.target, top, f"{bind.source}, that is {wanted},")


def writable(machine: Machine, bind: Bind, top: Mounted) -> Step | None:
    """A step that makes a bind writable again, if what it lies on is; None if it is."""
    if "ro" not in top.options:
        return None
    below = machine.get(Mount(machine[UnderlyingMount(bind.source)].at))
    if below and below.top and "ro" in below.top.options:
        return None
    state = machine[Mount(bind.target)]
    options = top.options - {"ro"} | {"rw"}
    return Step(
        says=f"Make the bind at {bind.target} writable",
        commands=(Command(("mount", "-o", "remount,bind,rw", "--", bind.target)),),
        after=machine.with_(Mount(bind.target), replace(state, top=replace(top, options=options))),
    )


def check_not_opened(machine: Machine, bind: Bind) -> None:
    """Raise ``Refused`` if the mode of the bind has permission bits that the mode of the target lacks now."""
    mode, there = mode_of(bind.mode), machine[Path(bind.target)]
    if isinstance(there, Node) and mode & ~there.mode:
        raise Refused(
            f"{bind.target} has mode {there.mode}, and the usual mode {mode:04o} would open it to others",
            advice=f'declare its mode: `mode: "{there.mode}"` keeps it as it is',
        )


def mend(machine: Machine, bind: Bind, also: tuple[str, ...] = ()) -> Step | None:
    """A step that gives the source its owner, group and mode; None if it is in sync or missing.

    ``also``: other paths that show the source.
    """
    there = paths.there(machine, bind.source, bind.node_kind)
    return paths.mend(machine, bind.source, there, bind.node, also) if isinstance(there, Node) else None


def mend_if_visible(machine: Machine, bind: Bind) -> Step | None:
    """The step of ``mend``; None if the source is not visible yet.

    So a bind is made even if its store is not visible yet. Without the bind, its target would count as absent.
    """
    return None if isinstance(machine[Path(bind.source)], NotYetVisible) else mend(machine, bind)


def mount(machine: Machine, bind: Bind) -> Step:
    """The step that makes source and target if they are missing, and binds one to the other."""
    source, target = bind.source, bind.target
    known = machine
    for path in (source, target):
        if isinstance(machine[Path(path)], Absent):
            known = paths.made(known, path, bind.node)
    # The content of an existing store is not visible at the target before the bind is made.
    there: PathState = known[Path(source)]
    hidden = None if isinstance(machine[Path(source)], Absent) else NotYetVisible(target, source)
    root = NotYetVisible(target, source) if isinstance(there, NotYetVisible) else there
    place = make_file(target) if bind.kind == "file" else (Command(("mkdir", "-p", "--", target)),)
    return Step(
        says=f"Bind {source} to {target}",
        commands=(*make(bind), *place, Command(("mount", "--bind", "--", source, target))),
        after=mounting(known, target, bind.mounted(machine), root=root, hidden=hidden),
    )


def make(bind: Bind) -> tuple[Command, ...]:
    """Commands that make the source, empty. They do not change the content of an existing one."""
    if bind.kind == "directory":
        return paths.mkdir(bind.source, bind.owner, bind.group, bind.node)
    owned = paths.chown(bind.source, bind.owner, bind.group)
    return (*make_file(bind.source), *owned, *paths.chmod(bind.source, f"{bind.node.mode}"))


def make_parent(path: str) -> tuple[Command, ...]:
    """Commands that make the directories above a path."""
    return (Command(("mkdir", "-p", "--", posixpath.dirname(path))),)


def make_file(path: str) -> tuple[Command, ...]:
    """Commands that make an empty file. An existing file is opened, and keeps its content."""
    return (*make_parent(path), Command(("dd", "if=/dev/null", f"of={path}", "conv=notrunc", "status=none")))
