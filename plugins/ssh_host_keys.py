"""`ssh-host-keys`: the keys that identify a machine to ssh clients, made before its first boot."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    FILE,
    ROOT,
    AnySubject,
    Command,
    Contribution,
    HostKey,
    Located,
    LookFailed,
    Machine,
    Node,
    NotYetVisible,
    Output,
    Param,
    Path,
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
    together,
    unfinished,
)

Kind = Literal["ed25519", "rsa", "ecdsa"]
KeyState = Literal["absent", "empty", "private", "public", "other"]

_BITS = {"rsa": ("-b", "4096")}
_PRIVATE, _PUBLIC = Node(FILE, 0o600, ROOT, ROOT), Node(FILE, 0o644, ROOT, ROOT)


@dataclass(frozen=True)
class KeyFile(Located[KeyState | NotYetVisible]):
    """The kind of key that a file holds, as its first 40 bytes show. No more bytes are read."""

    path: str

    def __str__(self) -> str:
        return f"key in {self.path}"

    def probes(self) -> tuple[str, ...]:
        return (f"f={shlex.quote(self.path)}\n{_PROBE}",)

    def parse(self, *outputs: Output) -> KeyState:
        for state in ("absent", "empty", "private", "public", "other"):
            if outputs[0].text.strip() == state:
                return state
        raise LookFailed(f"{self.path} cannot be read", advice="check its filesystem for errors")

    def in_empty(self) -> KeyState:
        return "absent"


# Private keys are in OpenSSH's own format or in PEM (sshkey.c); public ones begin with their type.
_PROBE = """
[ -e "$f" ] || [ -L "$f" ] || { echo absent; exit 0; }
[ -f "$f" ] && [ -r "$f" ] || exit 1
[ -s "$f" ] || { echo empty; exit 0; }
start=$(head -c 40 -- "$f" | tr -d '\\0') || exit 1
case $start in
    '-----BEGIN '*'PRIVATE KEY-----'*) echo private ;;
    'ssh-'*' '* | 'ecdsa-'*' '*) echo public ;;
    *) echo other ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class SshHostKeys(Task):
    """Create host keys for sshd once, with `ssh-keygen`, and keep them: clients identify the machine by them.

    sshd would create them at its first start. Programs that decrypt secrets with them, such as sops-nix and
    agenix, need them earlier. An existing private key is never replaced; its mode is set to 0600. A missing
    public key is derived again from its private key. A `nixos-config` of the same play tells sshd their paths.
    """

    key: ClassVar[str] = "ssh-host-keys"
    examples: ClassVar[tuple[str, ...]] = (
        "ssh-host-keys: {root: /mnt}",
        "ssh-host-keys: {root: /mnt, path: /etc/ssh, types: [ed25519]}",
    )

    root: parameters.InstallRoot = "/"
    store: parameters.Store = "/nix/persist"
    path: Annotated[
        str | None, Param("The keys' directory, on the installed system; default: etc/ssh in the store")
    ] = None
    types: Annotated[tuple[Kind, ...], Param("The types of the keys")] = ("ed25519", "rsa")

    def __post_init__(self) -> None:
        for name in ("root", "store", *(("path",) if self.path else ())):
            checked(name, check_clean, getattr(self, name))
        if not self.types or len({*self.types}) != len(self.types):
            raise ValueError("types: give at least one type, and each only once")

    def subjects(self) -> frozenset[AnySubject]:
        files = [name for kind in self.types for name in (self._file(kind), f"{self._file(kind)}.pub")]
        return frozenset(subject(name) for name in files for subject in (Path, KeyFile))

    def next_step(self, machine: Machine) -> Step | None:
        # All steps are computed before the first is taken: if one key is refused, none is made.
        steps = together(partial(self._pair, machine, kind) for kind in self.types)
        return next((step for step in steps if step), None)

    def contributes(self) -> tuple[Contribution, ...]:
        return tuple(HostKey(self._file(kind), kind) for kind in self.types)

    def _file(self, kind: Kind) -> str:
        folder = self.path or posixpath.join(self.store, "etc/ssh")
        return posixpath.join(self.root, folder[1:], f"ssh_host_{kind}_key")

    def _pair(self, machine: Machine, kind: Kind) -> Step | None:
        return self._private(machine, kind) or self._public(machine, kind)

    def _private(self, machine: Machine, kind: Kind) -> Step | None:
        path = self._file(kind)
        there = paths.there(machine, path, FILE)
        state: KeyState = seen(machine, KeyFile(path))
        if state == "absent":
            return Step(
                says=f"Make the {kind} host key {path}",
                commands=_generate(path, kind),
                after=paths.made(machine, path, _PRIVATE).updated({KeyFile(path): "private"}),
            )
        if state != "private":
            raise Refused(
                f"{path} is {'empty' if state == 'empty' else 'no private key'}, and sshd cannot use it",
                advice="inspect the file, move it elsewhere, and run subfloor again; subfloor never overwrites it",
            )
        return paths.mend(machine, path, there, _PRIVATE) if isinstance(there, Node) else None

    def _public(self, machine: Machine, kind: Kind) -> Step | None:
        private = self._file(kind)
        path = f"{private}.pub"
        there = paths.there(machine, path, FILE)
        state: KeyState = seen(machine, KeyFile(path))
        if state in ("absent", "empty"):
            return Step(
                says=f"Derive the public key {path}",
                commands=keep_output(path, ("ssh-keygen", "-y", "-P", "", "-f", private)),
                after=paths.made(machine, path, _PUBLIC).updated({KeyFile(path): "public"}),
            )
        if state != "public":
            raise Refused(
                f"{path} is not a public key",
                advice="move it elsewhere, and run subfloor again: subfloor derives it again",
            )
        return paths.mend(machine, path, there, _PUBLIC) if isinstance(there, Node) else None


def _generate(path: str, kind: Kind) -> tuple[Command, ...]:
    """Commands that make a private key. It gets its name when it is complete and flushed.

    link(2) fails if the name was taken in the meantime. The key has no comment: it would name the installer.
    """
    folder, temporary = posixpath.dirname(path), unfinished(path)
    # ssh-keygen asks before it overwrites, so the leftovers of an interrupted run are removed first.
    remove = Command(("rm", "-f", "--", temporary, f"{temporary}.pub"))
    make = ("ssh-keygen", "-q", "-t", kind, *_BITS.get(kind, ()), "-N", "", "-C", "", "-f", temporary)
    return (
        Command(("mkdir", "-p", "--", folder)),
        remove,
        Command(make, timeout=600.0),
        Command(("sync", "--", temporary)),
        Command(("ln", "-T", "--", temporary, path)),
        remove,
        Command(("sync", "--", folder)),
    )


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (SshHostKeys,)
