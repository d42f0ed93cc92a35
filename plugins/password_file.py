"""`password-file`: the hash of a user's password, in a file that root alone can read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from subfloor.plugin import (
    FILE,
    ROOT,
    Absent,
    AnySubject,
    Contribution,
    Machine,
    Name,
    Node,
    Param,
    Path,
    Refused,
    Secret,
    SecretFile,
    Step,
    Task,
    check_clean,
    checked,
    crypt,
    hookimpl,
    parameters,
    paths,
    seen,
    write_secret,
)
from subfloor.plugin import PasswordFile as Installed


@dataclass(frozen=True, kw_only=True)
class PasswordFile(Task):
    """Keep the hash of a user's password in a file, from which the installed system sets the password at every boot.

    `hash` is a secret: it goes to the standard input of a command and is shown nowhere. Give it with
    `--ask-password NAME` on the command line, which asks for a password and sets the variable NAME to its hash,
    or in a file of variables, `-e @FILE`. Without `hash` the file must exist already, and is kept. A
    `nixos-config` of the same play sets the `hashedPasswordFile` of the user.
    """

    key: ClassVar[str] = "password-file"
    examples: ClassVar[tuple[str, ...]] = (
        'password-file: {user: root, root: /mnt, hash: "{{ root_password | default(none) }}"}',
        "password-file: {user: ada, root: /mnt}",
    )

    user: Annotated[Name, Param("The user")]
    hash: Annotated[Secret | None, Param("The hash, in a format of crypt(5); never the password itself")] = None
    root: parameters.InstallRoot = "/"
    store: parameters.Store = "/nix/persist"
    path: Annotated[str | None, Param("The file, on the installed system; default: passwords/USER in the store")] = None

    def __post_init__(self) -> None:
        for name in ("root", "store", *(("path",) if self.path else ())):
            checked(name, check_clean, getattr(self, name))
        if self.hash is not None and (fault := crypt.fault(self.hash.reveal())):
            raise ValueError(f"hash: {fault}")

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Path(self._file), SecretFile(self._file)})

    def next_step(self, machine: Machine) -> Step | None:
        there = paths.there(machine, self._file, FILE)
        found: Secret | Absent = seen(machine, SecretFile(self._file))
        wanted = Node(FILE, 0o600, ROOT, ROOT)
        if self.hash is None:
            self._check_kept(found)
        elif found != self._line(self.hash):
            return Step(
                says=f"Write the hash of {self.user}'s password to {self._file}",
                commands=write_secret(self._file, self._line(self.hash)),
                after=paths.made(machine, self._file, wanted).updated({SecretFile(self._file): self._line(self.hash)}),
            )
        return paths.mend(machine, self._file, there, wanted) if isinstance(there, Node) else None

    def contributes(self) -> tuple[Contribution, ...]:
        return (Installed(self.user, self._file),)

    @property
    def _file(self) -> str:
        inside = self.path or posixpath.join(self.store, "passwords", self.user)
        return posixpath.join(self.root, inside[1:])

    @staticmethod
    def _line(hash_: Secret) -> Secret:
        return Secret(f"{hash_.reveal()}\n")

    def _check_kept(self, found: Secret | Absent) -> None:
        give = "give `hash`: `--ask-password NAME` asks for a password and sets the variable NAME to its hash"
        if isinstance(found, Absent):
            raise Refused(f"there is no password for {self.user}: {self._file} does not exist", advice=give)
        if fault := crypt.fault(found.reveal().removesuffix("\n")):
            raise Refused(f"{self._file} cannot be used: {fault}", advice=give)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (PasswordFile,)
