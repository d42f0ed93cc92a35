"""`bind-persist`: files and directories that survive reboots on a root that is emptied at every boot."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    MODE_PATTERN,
    AnySubject,
    Bind,
    Contribution,
    FromPlay,
    Hiding,
    Home,
    Machine,
    Param,
    Path,
    Persisted,
    Step,
    Task,
    binds,
    check_clean,
    checked,
    copies,
    hookimpl,
    is_below,
    mode_of,
    mounts,
    parameters,
    parents,
    paths,
    replaced_files,
    seen,
)


@dataclass(frozen=True, kw_only=True)
class BindPersist(Task):
    """Keep a directory or file in the persistent store, and bind it from there to its place.

    `path` and `store` are paths of the installed system; `root` is where that system is mounted now. With
    `root: /mnt` the path `/etc/nixos` is `/mnt/nix/persist/etc/nixos`, bound to `/mnt/etc/nixos`. The entry in
    the store has this owner, group and mode; it is created if it is missing.

    An existing bind is recognised by the place in the filesystem that it shows, so binds never stack. The bind
    never hides content that the store lacks: the task refuses, or with `existing: copy` first copies that content
    into the store (whole trees, with links, owners, modes, ACLs, extended attributes and holes). The copy is made
    beside its place in the store, and moved there when it is complete and flushed. If an entry exists in both
    places and differs in content, kind, owner or mode, the task always refuses. It also refuses to make stored
    data readable to more users, unless `mode` says so.

    Missing directories above the entry are created too, in the store and at its place. In a home directory they
    belong to its user if a `nixos-config` of the play declares the user's uid, otherwise to the owner of the
    entry. The home directory has mode 0700, like `/var/lib/private`. All others belong to root and have mode 0755.
    """

    key: ClassVar[str] = "bind-persist"
    examples: ClassVar[tuple[str, ...]] = (
        "bind-persist: {path: /var/log, root: /mnt}",
        'bind-persist: {path: /etc/machine-id, root: /mnt, kind: file, mode: "0444", existing: copy}',
    )

    path: Annotated[str, Param("The path to persist, on the installed system", examples=("/etc/nixos", "/var/log"))]
    root: parameters.InstallRoot = "/"
    store: parameters.Store = "/nix/persist"
    kind: Annotated[Literal["directory", "file"], Param("Whether the path is a directory or a file")] = "directory"
    owner: parameters.Owner = "root"
    group: parameters.Group = "root"
    mode: Annotated[str | None, Param("The mode, in octal; default: 0755, for a file 0644", pattern=MODE_PATTERN)] = (
        None
    )
    existing: Annotated[
        Literal["refuse", "copy"], Param("What to do with content at the path that the store lacks")
    ] = "refuse"
    needed_for_boot: Annotated[bool, Param("The installed system binds it early in the boot, in stage 1")] = False
    homes: Annotated[tuple[Home, ...], FromPlay()] = ()

    def __post_init__(self) -> None:
        for name in ("path", "root", "store"):
            checked(name, check_clean, getattr(self, name))
        checked("path", self._check_apart, self.path)
        checked("owner", paths.check_name, self.owner)
        checked("group", paths.check_name, self.group)
        if self.mode is not None:
            checked("mode", mode_of, self.mode)

    def _check_apart(self, path: str) -> None:
        if path in ("/", self.store) or is_below(path, self.store) or is_below(self.store, path):
            raise ValueError(f"{path} cannot be persisted in {self.store}: one contains the other")

    def within(self, play: tuple[Task, ...]) -> Task:
        told = (each for task in play if task.key != self.key for each in task.contributes())
        inside = (each for each in told if isinstance(each, Home) and is_below(each.path, self.root))
        prefix = "" if self.root == "/" else self.root
        return replace(self, homes=tuple(replace(each, path=each.path.removeprefix(prefix)) for each in inside))

    def warnings(self) -> tuple[str, ...]:
        return replaced_files.warning(self.path) if self.kind == "file" else ()

    def contributes(self) -> tuple[Contribution, ...]:
        kept = Persisted(
            path=self._bind.target,
            store=self._store,
            kind=self.kind,
            owner=self.owner,
            group=self.group,
            mode=self._bind.mode,
            needed_for_boot=self.needed_for_boot,
        )
        return (kept,)

    def subjects(self) -> frozenset[AnySubject]:
        return self._bind.subjects().union(Path(each.path) for each in self._parents)

    def next_step(self, machine: Machine) -> Step | None:
        bind = self._bind
        paths.check_accounts(machine, self.owner, self.group)
        state = mounts.place(machine, bind.target, bind.node_kind)
        if state.top:
            binds.check_bound(machine, bind, state.top)
            return (
                binds.writable(machine, bind, state.top)
                or parents.next_step(machine, self._parents)
                or binds.mend(machine, bind, also=(bind.target,))
            )
        mounts.check_free(bind.target, state)
        hiding: Hiding = seen(machine, bind.hidden)
        if self.mode is None and (hiding.missing or self.kind == "file"):
            binds.check_not_opened(machine, bind)
        copy = copies.copy(machine, bind, hiding, self.existing == "copy") if hiding != Hiding() else None
        return (
            parents.next_step(machine, self._parents)
            or copy
            or binds.mend_if_visible(machine, bind)
            or binds.mount(machine, bind)
        )

    @property
    def _store(self) -> str:
        return posixpath.join(self.root, self.store[1:])

    @property
    def _bind(self) -> Bind:
        return Bind(
            source=posixpath.join(self._store, self.path[1:]),
            target=posixpath.join(self.root, self.path[1:]),
            kind=self.kind,
            owner=self.owner,
            group=self.group,
            mode=self.mode or ("0755" if self.kind == "directory" else "0644"),
        )

    @property
    def _parents(self) -> tuple[parents.Parent, ...]:
        """The directories above the entry that need an unusual owner or mode, in the store and at the path."""
        above = parents.declared(self.path, self.homes, self.owner, self.group)
        return tuple(
            replace(each, path=posixpath.join(top, each.path[1:])) for top in (self._store, self.root) for each in above
        )


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (BindPersist,)
