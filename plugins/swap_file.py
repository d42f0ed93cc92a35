"""`swap-file`: an active swap area in a file."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from subfloor.plugin import (
    FILE,
    MIB,
    ROOT,
    Absent,
    AnySubject,
    Command,
    Contribution,
    Identity,
    Machine,
    Node,
    Param,
    Path,
    Refused,
    ResumeOffset,
    Step,
    SwapFile,
    SwapInFile,
    SwapInFileState,
    Task,
    Tool,
    UnderlyingMount,
    Unknown,
    check_clean,
    checked,
    hookimpl,
    paths,
    seen,
    sizes,
    subvolumes,
    unfinished,
)

_TYPES = ("btrfs", "ext4", "xfs")
_AGAIN = "then run subfloor again"


@dataclass(frozen=True, kw_only=True)
class ActiveSwapFile(Task):
    """Create a swap file of this size, and activate it.

    The file is allocated completely, without holes, belongs to root and has mode 0600. It gets its name last, when
    its swap area is written and flushed. On a btrfs it is NoCOW and not compressed. The btrfs must have one device.
    Put the file on a subvolume of its own, because a subvolume with an active swap file cannot be snapshotted.

    The UUID of the area shows that the file is ours. Any other file in its place is refused. If `size` changes, an
    inactive file is created again, and an active file is refused. With `hibernation: true` a `nixos-config` that
    comes later in the play declares the file's device and offset, so that the installed system resumes from it.
    Then the file must be as large as the machine's memory.
    """

    key: ClassVar[str] = "swap-file"
    examples: ClassVar[tuple[str, ...]] = (
        "swap-file: {path: /mnt/swap/swapfile, size: 8GiB}",
        "swap-file: {path: /mnt/swap/swapfile, size: 32GiB, priority: 5, hibernation: true}",
    )

    path: Annotated[str, Param("The file, below the mount point of its filesystem", examples=("/mnt/swap/swapfile",))]
    size: Annotated[str, Param("Its size, in whole MiB", pattern=sizes.PATTERN, examples=("8GiB",))]
    priority: Annotated[
        int | None,
        Param("Areas with a higher priority are used first; default: the kernel's", minimum=0, maximum=32767),
    ] = None
    hibernation: Annotated[bool, Param("The installed system hibernates to it")] = False
    identity: Identity

    def __post_init__(self) -> None:
        checked("path", check_clean, self.path)
        checked("size", _check_size, self.size)

    def subjects(self) -> frozenset[AnySubject]:
        offset = {ResumeOffset(self.path)} if self.hibernation else set[AnySubject]()
        own = {Path(self.path), SwapInFile(self.path), UnderlyingMount(self.path)}
        return frozenset({*own, *offset, Tool("btrfs"), Tool("chattr")})

    def next_step(self, machine: Machine) -> Step | None:
        there = paths.there(machine, self.path, FILE)
        state: SwapInFileState | Absent = seen(machine, SwapInFile(self.path))
        self._check_place(machine)
        if isinstance(state, Absent) or isinstance(there, Absent):
            return self._create(machine)
        self._check_ours(machine, state)
        if (state.size, state.holes, state.copied) != (self._size, False, False):
            return self._remove(machine, state)
        return paths.mend(machine, self.path, there, _NODE) or self._activate(machine, state)

    def contributes(self) -> tuple[Contribution, ...]:
        return (SwapFile(self.path, self.priority, self.hibernation),)

    @property
    def _size(self) -> str:
        return sizes.show(sizes.parse(self.size))

    def _uuid(self, machine: Machine) -> str:
        """The UUID of the swap area, derived from the path inside the filesystem: it is the same at any mount point."""
        return str(self.identity.swap_file(machine[UnderlyingMount(self.path)].inside(self.path)))

    def _check_place(self, machine: Machine) -> None:
        under = machine[UnderlyingMount(self.path)]
        if under.type not in _TYPES:
            raise Refused(
                f"{self.path} lies on {under}; swap files are supported on {', '.join(_TYPES)}",
                advice="put a `mount` task for one of them before this one, and name a path below its mount point",
            )
        for program in ("btrfs", "chattr") if under.type == "btrfs" else ():
            if not machine[Tool(program)]:
                raise Refused(f"there is no program {program}", advice=f"install btrfs-progs and e2fsprogs; {_AGAIN}")

    def _check_ours(self, machine: Machine, state: SwapInFileState) -> None:
        quoted = shlex.quote(self.path)
        if state.content == "swsuspend":
            raise Refused(
                f"{self.path} holds a hibernated system",
                advice=f"start that system, and shut it down; or, to lose its session, `rm {quoted}`; {_AGAIN}",
            )
        if (state.content, state.uuid) != ("swap", self._uuid(machine)):
            off = f"`swapoff {quoted}` and " if state.active else ""
            raise Refused(
                f"{self.path} is not a swap file of this play: it is {state}",
                advice=f"name another path; or, if nobody needs the file, {off}`rm {quoted}`; {_AGAIN}",
            )

    def _create(self, machine: Machine) -> Step:
        """A step that makes the file. It is complete before it gets its name, and never replaces another file."""
        temporary, folder = unfinished(self.path), posixpath.dirname(self.path)
        btrfs = machine[UnderlyingMount(self.path)].type == "btrfs"
        uncompressed = (subvolumes.btrfs("property", "set", "-t", "inode", temporary, "compression", ""),)
        commands = (
            Command(("rm", "-f", "--", temporary)),
            Command(("mkdir", "-p", "--", folder)),
            Command(("install", "-m", "0600", "--", "/dev/null", temporary)),
            *((*uncompressed, *subvolumes.nocow(temporary, True)) if btrfs else ()),
            Command(
                ("fallocate", "--length", f"{sizes.parse(self.size)}", "--", temporary),
                advice=f"check the free space (`df -h {shlex.quote(folder)}`), and give a smaller `size`",
            ),
            Command(("mkswap", "--uuid", self._uuid(machine), "--", temporary)),
            Command(("sync", "--", temporary)),
            Command(("mv", "-n", "-T", "--", temporary, self.path)),
            Command(("sync", "--", folder)),
        )
        wanted = SwapInFileState(self._size, content="swap", uuid=self._uuid(machine))
        after = paths.made(machine, self.path, _NODE).updated(self._now(machine, wanted, Unknown()))
        return Step(f"Create the swap file {self.path} of {self._size}", commands, after)

    def _remove(self, machine: Machine, state: SwapInFileState) -> Step:
        what = ", with copy-on-write" if state.copied else ", with holes" if state.holes else ""
        if state.active:
            raise Refused(
                f"{self.path} is active, and has {state.size}{what}, but must have {self._size}",
                advice=f"`swapoff {shlex.quote(self.path)}`, {_AGAIN}: subfloor creates the file again",
            )
        return Step(
            f"Remove our inactive swap file {self.path} of {state.size}{what}",
            (Command(("rm", "-f", "--", self.path)), Command(("sync", "--", posixpath.dirname(self.path)))),
            machine.updated({Path(self.path): Absent(), **self._now(machine, Absent(), Absent())}),
        )

    def _activate(self, machine: Machine, state: SwapInFileState) -> Step | None:
        if state.active and self.priority in (None, state.priority):
            return None
        priority = () if self.priority is None else ("--priority", f"{self.priority}")
        on = Command(
            ("swapon", *priority, "--", self.path),
            advice="see the kernel's reason (`dmesg`): a btrfs must have one device, and no snapshot of the subvolume",
        )
        off = (Command(("swapoff", "--", self.path)),) if state.active else ()
        how = "" if self.priority is None else f", with priority {self.priority}"
        after = replace(state, active=True, priority=self.priority)
        says = f"Activate the swap file {self.path}{' again' if state.active else ''}{how}"
        return Step(says, (*off, on), machine.with_(SwapInFile(self.path), after))

    def _now(
        self, machine: Machine, state: SwapInFileState | Absent, offset: Absent | Unknown
    ) -> dict[AnySubject, Any]:
        changes: dict[AnySubject, Any] = {SwapInFile(self.path): state}
        return changes | ({ResumeOffset(self.path): offset} if ResumeOffset(self.path) in machine else {})


_NODE = Node(FILE, 0o600, ROOT, ROOT)


def _check_size(text: str) -> None:
    if sizes.parse(text) % MIB:
        raise ValueError(f"{text} is not a whole number of MiB")


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (ActiveSwapFile,)
