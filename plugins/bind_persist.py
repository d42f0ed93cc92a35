"""`bind-persist`: what stays, on a root that is emptied at every boot."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    DIRECTORY,
    FILE,
    MODE_PATTERN,
    MOST_HIDDEN,
    Absent,
    AnySubject,
    Command,
    Contribution,
    FromPlay,
    Hidden,
    Hiding,
    Home,
    Machine,
    Mount,
    Mounted,
    Node,
    NotYetVisible,
    Param,
    Path,
    PathState,
    Persisted,
    Refused,
    Step,
    Task,
    UnderlyingMount,
    check_clean,
    checked,
    hookimpl,
    is_below,
    mode_of,
    mounting,
    mounts,
    parents,
    paths,
    seen,
    staging,
)


@dataclass(frozen=True, kw_only=True)
class BindPersist(Task):
    """Keep a directory or file in the persistent store, and bind it from there to its place.

    `path` and `store` are paths of the installed system; `root` is where that system is mounted now. With
    `root: /mnt` the path `/etc/nixos` is `/mnt/nix/persist/etc/nixos`, bound to `/mnt/etc/nixos`. The entry in
    the store has this owner, group and mode; it is created if it is missing.

    An existing bind is recognised by the place in the filesystem that it shows, so binds never stack. Content
    at the place that the store lacks is never hidden without a question: the task refuses, or copies it into
    the store first (whole trees, with links, owners, modes, ACLs, extended attributes and holes). The copy is
    made beside its place in the store, and moved there when it is complete and flushed. If both exist and
    differ in content, kind, owner or mode, the task always refuses. It also refuses to make stored data
    readable to more users, unless `mode` says so.

    Missing directories above it are created too, in the store and at its place. In a home directory they belong
    to its user, whose number a `nixos-config` of the play declares; else to the owner of the entry. The home
    directory has mode 0700, like `/var/lib/private`. All others belong to root and have mode 0755.
    """

    key: ClassVar[str] = "bind-persist"
    examples: ClassVar[tuple[str, ...]] = (
        "bind-persist: {path: /var/log, root: /mnt}",
        'bind-persist: {path: /etc/machine-id, root: /mnt, kind: file, mode: "0444", existing: copy}',
    )

    path: Annotated[str, Param("What to keep, as the installed system has it", examples=("/etc/nixos", "/var/log"))]
    root: Annotated[str, Param("Where the installed system's root is mounted now", examples=("/mnt",))] = "/"
    store: Annotated[str, Param("Where it is kept, as the installed system has it")] = "/nix/persist"
    kind: Annotated[Literal["directory", "file"], Param("What it is")] = "directory"
    owner: Annotated[str, Param("Whose it is: a name that the machine knows, or a number", min_length=1)] = "root"
    group: Annotated[str, Param("Its group: a name that the machine knows, or a number", min_length=1)] = "root"
    mode: Annotated[str | None, Param("Its mode, in octal; else 0755, for a file 0644", pattern=MODE_PATTERN)] = None
    existing: Annotated[
        Literal["refuse", "copy"], Param("What to do with content that is at the place and not in the store")
    ] = "refuse"
    needed_for_boot: Annotated[bool, Param("The installed system binds it before it looks for itself")] = False
    homes: Annotated[tuple[Home, ...], FromPlay()] = ()

    def __post_init__(self) -> None:
        checked("path", check_clean, self.path)
        checked("root", check_clean, self.root)
        checked("store", check_clean, self.store)
        checked("path", self._check_apart, self.path)
        checked("owner", paths.check_name, self.owner)
        checked("group", paths.check_name, self.group)
        if self.mode is not None:
            checked("mode", mode_of, self.mode)

    def _check_apart(self, path: str) -> None:
        if path in ("/", self.store) or is_below(path, self.store) or is_below(self.store, path):
            raise ValueError(f"{path} cannot be kept in {self.store}: one lies in the other")

    def within(self, play: tuple[Task, ...]) -> Task:
        told = (each for task in play if task.key != self.key for each in task.contributes())
        inside = (each for each in told if isinstance(each, Home) and is_below(each.path, self.root))
        prefix = "" if self.root == "/" else self.root
        return replace(self, homes=tuple(replace(each, path=each.path.removeprefix(prefix)) for each in inside))

    def warnings(self) -> tuple[str, ...]:
        """What programs write by a new file of the same name: rename(2) onto a mount point fails (EBUSY)."""
        if self.kind != "file" or not (who := _RENAMED.get(self.path)):
            return ()
        return (
            f"{self.path} is replaced as a whole by {who}, which fails while it is bound; "
            "keep the directory that it is in, or let the configuration make the file",
        )

    def subjects(self) -> frozenset[AnySubject]:
        source, target = self._source, self._target
        accounts = paths.accounts(self.owner, self.group)
        above = (Path(each.path) for each in self._parents)
        return frozenset(
            {
                Mount(target),
                Path(target),
                Path(source),
                UnderlyingMount(source),
                Hidden(target, source),
                *accounts,
                *above,
            }
        )

    def next_step(self, machine: Machine) -> Step | None:
        paths.check_accounts(machine, self.owner, self.group)
        state = mounts.place(machine, self._target, self._kind)
        if state.top:
            self._check_bound(machine, state.top)
            return parents.next_step(machine, self._parents) or self._mend(machine, (self._target,))
        mounts.check_free(self._target, state)
        hiding: Hiding = seen(machine, Hidden(self._target, self._source))
        if hiding.missing or self.kind == "file":
            self._check_open(machine)
        copy = self._copy(machine, hiding) if hiding != Hiding() else None
        if step := parents.next_step(machine, self._parents) or copy:
            return step
        # A store that cannot be seen yet is bound all the same, so that what lies behind the bind is not
        # thought to be absent; then there is nothing more to say before it can be seen.
        known = not isinstance(machine[Path(self._source)], NotYetVisible)
        return (self._mend(machine) if known else None) or self._bind(machine)

    def contributes(self) -> tuple[Contribution, ...]:
        kept = Persisted(
            path=self._target,
            store=posixpath.join(self.root, self.store[1:]),
            kind=self.kind,
            owner=self.owner,
            group=self.group,
            mode=self._wanted_mode,
            needed_for_boot=self.needed_for_boot,
        )
        return (kept,)

    # What is wanted.

    @property
    def _kind(self) -> str:
        return FILE if self.kind == "file" else DIRECTORY

    @property
    def _target(self) -> str:
        return posixpath.join(self.root, self.path[1:])

    @property
    def _source(self) -> str:
        return posixpath.join(self.root, self.store[1:], self.path[1:])

    @property
    def _parents(self) -> tuple[parents.Parent, ...]:
        """Directories above it that are not as usual, in the store and at its place."""
        above = parents.declared(self.path, self.homes, self.owner, self.group)
        stored = posixpath.join(self.root, self.store[1:])
        return tuple(
            replace(each, path=posixpath.join(top, each.path[1:])) for top in (stored, self.root) for each in above
        )

    @property
    def _wanted(self) -> Node:
        return paths.node(self._kind, self.owner, self.group, self._wanted_mode)

    @property
    def _wanted_mode(self) -> str:
        return self.mode or ("0755" if self.kind == "directory" else "0644")

    def _mounted(self, machine: Machine) -> Mounted:
        """The bind as the kernel will list it: the filesystem of the store, and the place in it."""
        cover = machine[UnderlyingMount(self._source)]
        if not cover.source:
            raise Refused(
                f"the filesystem that {self._source} lies on is not to be seen",
                advice="run this outside of a chroot, with `root` where the chroot is",
            )
        return Mounted(cover.source, cover.type, cover.inside(self._source))

    # What is there.

    def _check_bound(self, machine: Machine, top: Mounted) -> None:
        """Raise ``Refused`` unless what is mounted is the bind that was declared."""
        wanted = self._mounted(machine)
        if top.is_(wanted):
            return
        # The kernel's mark of a directory that is in no filesystem any more (fs/proc_namespace.c).
        if top.root.endswith("//deleted"):
            was = top.root.removesuffix("//deleted")
            raise Refused(
                f"what is bound to {self._target} was deleted: it was {was} in {top.source}",
                advice=f"its content is lost when the bind goes away; run `umount {self._target}`, then run this again",
            )
        raise mounts.elsewhere(self._target, top, f"{self._source}, that is {wanted},")

    def _mend(self, machine: Machine, also: tuple[str, ...] = ()) -> Step | None:
        there = paths.there(machine, self._source, self._kind)
        return paths.mend(machine, self._source, there, self._wanted, also) if isinstance(there, Node) else None

    def _check_open(self, machine: Machine) -> None:
        """Raise ``Refused`` where the usual mode would let others read what they cannot read at its place."""
        usual, there = mode_of(self._wanted_mode), machine[Path(self._target)]
        if self.mode is None and isinstance(there, Node) and usual & ~there.mode:
            raise Refused(
                f"{self._target} has mode {there.mode}, and the usual mode {usual:04o} would open it to others",
                advice=f'declare its mode: `mode: "{there.mode}"` keeps it as it is',
            )

    def _copy(self, machine: Machine, hiding: Hiding) -> Step:
        there = paths.there(machine, self._source, self._kind)
        if hiding.different:
            raise Refused(
                f"{_listed(hiding.different)} at {self._target} and in {self._source} differ",
                advice="see which is right, and move the other away; neither is ever overwritten",
            )
        if self.existing == "refuse" and hiding.missing:
            raise Refused(
                f"a bind would hide what is at {self._target} and not in {self._source}: {_listed(hiding.missing)}",
                advice="move it there yourself, or give `existing: copy`",
            )
        made = isinstance(there, Absent) and self.kind == "directory"
        after = paths.made(machine, self._source, self._wanted) if made else machine
        if self.kind == "file" and hiding.missing:
            after = after.with_(Path(self._source), machine[Path(self._target)])
        what = f"Copy {_listed(hiding.missing)} from {self._target} to {self._source}"
        return Step(
            says=what if hiding.missing else f"Remove what an interrupted copy left in {self._staging}",
            commands=self._copying(made) if hiding.missing else (Command(("rm", "-rf", "--", self._staging)),),
            after=after.with_(Hidden(self._target, self._source), Hiding()),
        )

    @property
    def _staging(self) -> str:
        return staging(self._source, self.kind)

    def _copying(self, made: bool) -> tuple[Command, ...]:
        """One program copies all, so that hard links stay links; nothing has its place before all is flushed.

        That cp(1) cannot keep an extended attribute is an error only where it is named.
        """
        new = posixpath.join(self._staging, "new")
        placed = Command(("mv", "-T", "--", new, self._source))
        if self.kind == "directory":
            placed = Command(("sh", "-euc", _PLACE, "place", new, self._source, _PLACE_EACH))
        return (
            *(self._make() if made else _mkdir(self._source)),
            Command(("rm", "-rf", "--", self._staging)),
            Command(("mkdir", "-m", "0700", "--", self._staging)),
            Command(("cp", "-a", "-x", "--preserve=xattr", "-T", "--", self._target, new), timeout=_LONG),
            Command(("sync", "--file-system", "--", self._staging), timeout=_LONG),
            placed,
            Command(("sync", "--file-system", "--", posixpath.dirname(self._staging)), timeout=_LONG),
            Command(("rm", "-rf", "--", self._staging), timeout=_LONG),
        )

    def _bind(self, machine: Machine) -> Step:
        source, target = self._source, self._target
        known = machine
        for path in (source, target):
            if isinstance(machine[Path(path)], Absent):
                known = paths.made(known, path, self._wanted)
        # What a store that was there already holds is not to be seen at the target before it is bound.
        there: PathState = known[Path(source)]
        hidden = None if isinstance(machine[Path(source)], Absent) else NotYetVisible(target, source)
        root = NotYetVisible(target, source) if isinstance(there, NotYetVisible) else there
        return Step(
            says=f"Bind {source} to {target}",
            commands=(
                *self._make(),
                *(_born(target) if self.kind == "file" else (Command(("mkdir", "-p", "--", target)),)),
                Command(("mount", "--bind", "--", source, target)),
            ),
            after=mounting(known, target, self._mounted(machine), root=root, hidden=hidden),
        )

    def _make(self) -> tuple[Command, ...]:
        """Commands that make what is kept, empty; where it is there already, they change nothing."""
        if self.kind == "directory":
            return paths.mkdir(self._source, self.owner, self.group, self._wanted)
        owned = paths.chown(self._source, self.owner, self.group)
        return (*_born(self._source), *owned, *paths.chmod(self._source, f"{self._wanted.mode}"))


def _mkdir(path: str) -> tuple[Command, ...]:
    return (Command(("mkdir", "-p", "--", posixpath.dirname(path))),)


def _born(path: str) -> tuple[Command, ...]:
    """Commands that make an empty file. One that is there is opened, and keeps what it says."""
    return (*_mkdir(path), Command(("dd", "if=/dev/null", f"of={path}", "conv=notrunc", "status=none")))


# Files that are written under another name and renamed: lckpwdf(3) and shadow's commonio.c for those of users,
# NixOS's update-users-groups.pl for the same, systemd's machine-id-setup.c, hostnamed and timedated.
_USER_TOOLS = "programs that change users and passwords"
_RENAMED = {
    **{f"/etc/{name}": _USER_TOOLS for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")},
    "/etc/hostname": "`hostnamectl`",
    "/etc/machine-info": "`hostnamectl`",
    "/etc/locale.conf": "`localectl`",
    "/etc/vconsole.conf": "`localectl`",
    "/etc/adjtime": "`timedatectl`",
    "/etc/localtime": "`timedatectl`",
    "/etc/resolv.conf": "resolvconf and NetworkManager",
}

_LONG = 6 * 3600.0
"""Seconds that a copy may take."""

# Moves what the source lacks from a whole copy to its place: PLACE COPY SOURCE PLACE_EACH. sort(1) reads
# every name, directories before what they hold, before the first is moved.
_PLACE = """
cd -- "$1"
find . -mindepth 1 -print0 | sort -z | xargs -0 -r sh -euc "$3" each "$2"
"""

# Entries of one directory are moved by one mv(1). What is gone was moved with the directory above it.
_PLACE_EACH = """
to=$1; shift; at=; first=1
there() { [ -e "$1" ] || [ -L "$1" ]; }
for each; do
    if [ "$first" ]; then set --; first=; fi
    if ! there "$each" || there "$to/$each"; then continue; fi
    if [ "$at" != "${each%/*}" ]; then
        if [ $# != 0 ]; then mv -n -t "$to/$at" -- "$@"; set --; fi
        at=${each%/*}
        there "$each" || continue
    fi
    set -- "$@" "$each"
done
if [ $# != 0 ]; then mv -n -t "$to/$at" -- "$@"; fi
"""


def _listed(entries: tuple[str, ...]) -> str:
    shown = [each if each.isprintable() else repr(each)[1:-1] for each in entries[:5]]
    at_least = "at least " if len(entries) >= MOST_HIDDEN else ""
    return ", ".join(shown) + (f" and {at_least}{len(entries) - 5} more" if len(entries) > 5 else "")


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (BindPersist,)
