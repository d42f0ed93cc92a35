"""`machine-id`: a machine id that survives reboots."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from subfloor.plugin import (
    FILE,
    ROOT,
    AnySubject,
    Contribution,
    Located,
    LookFailed,
    Machine,
    Node,
    NotYetVisible,
    Output,
    Path,
    Persisted,
    Refused,
    Step,
    Task,
    check_clean,
    checked,
    hookimpl,
    keep_output,
    parameters,
    paths,
    seen,
)

_MODE = "0444"

IdState = Literal["absent", "none yet", "valid", "invalid"]


@dataclass(frozen=True)
class MachineId(Located[IdState | NotYetVisible]):
    """Whether a file holds a machine id, as machine-id(5) defines it: 32 hexadecimal digits, not all zero.

    The id itself is confidential and no decision needs it, so it is not read.
    """

    path: str

    def __str__(self) -> str:
        return f"machine id in {self.path}"

    def probes(self) -> tuple[str, ...]:
        return (f"f={shlex.quote(self.path)}\n{_PROBE}",)

    def parse(self, *outputs: Output) -> IdState:
        (found,) = outputs
        for state in ("absent", "none yet", "valid", "invalid"):
            if found.text.strip() == state:
                return state
        raise LookFailed(f"{self.path} cannot be read", advice="check its filesystem for errors")

    def in_empty(self) -> IdState:
        return "absent"


# To systemd, an empty file or the text "uninitialized" means the first boot of an image.
_PROBE = """
[ -e "$f" ] || [ -L "$f" ] || { echo absent; exit 0; }
[ -f "$f" ] && [ -r "$f" ] || exit 1
id=$(head -c 100 -- "$f") || exit 1
case $id in
    '' | uninitialized) echo none yet ;;
    *[!0-9a-f]*) echo invalid ;;
    *[!0]*) if [ ${#id} = 32 ]; then echo valid; else echo invalid; fi ;;
    *) echo invalid ;;
esac
"""

# machine-id(5) requires a version 4 UUID without its hyphens.
_NEW = ("sed", "s/-//g", "/proc/sys/kernel/random/uuid")


@dataclass(frozen=True, kw_only=True)
class KeptMachineId(Task):
    """Keep the machine id across reboots; the journal, DHCP and D-Bus identify the machine by it.

    A random id is created once and kept in a file in `store`. On the installed system `/etc/machine-id` is a link to
    this file, since systemd reads the id before it mounts anything. An existing id is kept. `store` is a path of the
    installed system; `root` is where that system is mounted now.
    """

    key: ClassVar[str] = "machine-id"
    examples: ClassVar[tuple[str, ...]] = ("machine-id: {root: /mnt}", "machine-id: {root: /mnt, store: /persist}")

    root: parameters.InstallRoot = "/"
    store: parameters.Store = "/nix/persist"

    def __post_init__(self) -> None:
        checked("root", check_clean, self.root)
        checked("store", check_clean, self.store)

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Path(self._file), MachineId(self._file)})

    def next_step(self, machine: Machine) -> Step | None:
        there = paths.there(machine, self._file, FILE)
        state: IdState = seen(machine, MachineId(self._file))
        wanted = Node(FILE, int(_MODE, 8), ROOT, ROOT)
        if state == "invalid":
            raise Refused(
                f"{self._file} holds no valid machine id", advice="inspect the file, remove it, and run subfloor again"
            )
        if state == "valid" and isinstance(there, Node):
            return paths.mend(machine, self._file, there, wanted)
        return Step(
            says=f"Create the machine id in {self._file}",
            commands=keep_output(self._file, _NEW, _MODE),
            after=paths.made(machine, self._file, wanted).updated({MachineId(self._file): "valid"}),
        )

    def contributes(self) -> tuple[Contribution, ...]:
        path, store = posixpath.join(self.root, "etc/machine-id"), posixpath.join(self.root, self.store[1:])
        return (Persisted(path=path, store=store, kind="file", mode=_MODE, linked=True),)

    @property
    def _file(self) -> str:
        return posixpath.join(self.root, self.store[1:], "etc/machine-id")


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (KeptMachineId,)
