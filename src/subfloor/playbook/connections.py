"""How a host is reached: variables of an inventory, with subfloor's names and with Ansible's."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from subfloor.core.identity import ANY, MACHINE
from subfloor.playbook import scalars
from subfloor.playbook.positions import PlaybookError, Position
from subfloor.playbook.strict_yaml import Node
from subfloor.playbook.variables import Scope, Vars

_SHARED: Mapping[str, str] = {
    "connection": "`local` or `ssh`; default: `local` for localhost and `ssh` for all others",
    "host": "the name or address to connect to; default: the host's name",
    "port": "the port to connect to",
    "user": "the user to connect as",
    "ssh_private_key_file": "the file with the private key to log in with",
    "ssh_common_args": "more arguments for ssh, such as `-o ProxyJump=gate`",
    "ssh_extra_args": "more arguments for ssh, after `ssh_common_args`",
}
"""Variables that exist with the prefix ``subfloor_`` and, as in Ansible, with ``ansible_``. ``subfloor_`` wins."""

_ANSIBLE: Mapping[str, str] = {
    "ansible_become": "true or false: whether commands run as root by `ansible_become_method`",
    "ansible_become_method": "`sudo` or `doas`; default: `sudo`",
    "ansible_become_user": "`root`: only root can prepare disks",
}

CONNECTION_VARS: Mapping[str, str] = {
    **{f"subfloor_{name}": about for name, about in _SHARED.items()},
    "subfloor_become": "a command to put before every command, such as `sudo`",
    MACHINE: "the name of the machine `localhost` in the identity of its disks; "
    f"`{ANY}`: their identity does not depend on the machine",
    **{f"ansible_{name}": about for name, about in _SHARED.items()},
    **_ANSIBLE,
}

_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Connection:
    """How to reach a host. ``become``: the words of an argv that are put before every command.

    ``key_file`` and ``arguments`` are for ssh. ``machine``: the value of ``subfloor_machine``, None if it is not set.
    """

    kind: Literal["local", "ssh"]
    host: str
    port: int | None = None
    user: str | None = None
    become: tuple[str, ...] = ()
    key_file: str | None = None
    arguments: tuple[str, ...] = ()
    machine: str | None = None

    def names_machine(self, name: str) -> bool:
        """Whether the host's name identifies a machine. `localhost` does not: each machine calls itself that."""
        return self.kind != "local" or name not in _HERE


def connection_of(name: str, declared: Mapping[str, Any], where: Position, scope: Scope) -> Connection:
    """How to reach the host ``name``. Raises ``PlaybookError``.

    ``declared``: the host's variables in the inventory; ``where``: the host's position there.
    """
    return _Read(name, declared, where, scope).connection()


@dataclass(frozen=True)
class _Read:
    name: str
    declared: Vars
    where: Position
    scope: Scope

    def connection(self) -> Connection:
        local = self.name in _HERE
        kind = self._shared("connection", (str,), "local" if local else "ssh")
        if kind not in ("local", "ssh"):
            raise self._wrong("connection", f"is {scalars.kind(kind)}", "write `local` or `ssh`")
        return Connection(
            kind=kind,
            host=self._shared("host", (str,), self.name),
            port=self._shared("port", (int,), None),
            user=self._shared("user", (str,), None),
            become=self._become(),
            key_file=self._shared("ssh_private_key_file", (str,), None),
            arguments=(*self._words("ssh_common_args"), *self._words("ssh_extra_args")),
            machine=self._value(MACHINE, (str,), None),
        )

    def _words(self, name: str) -> tuple[str, ...]:
        text = self._shared(name, (str,), "")
        try:
            return tuple(shlex.split(text))
        except ValueError as error:
            raise self._wrong(name, f"cannot be read: {error}", "close the quotes, as for a shell") from error

    def _become(self) -> tuple[str, ...]:
        """The words before a command that run it as root; empty if there are none.

        ``subfloor_become`` overrides the variables of Ansible, even if it is an empty list.
        """
        words: Any = self._value("subfloor_become", (str, list), None)
        if words is not None:
            return tuple(map(str, words.split() if isinstance(words, str) else words))
        if not self._value("ansible_become", (bool,), False):
            return ()
        method = self._value("ansible_become_method", (str,), "sudo")
        user = self._value("ansible_become_user", (str,), "root")
        if method not in ("sudo", "doas"):
            raise self._wrong("become_method", f"is {scalars.kind(method)}", "write `sudo` or `doas`")
        if user != "root":
            raise self._wrong("become_user", f"is {scalars.kind(user)}", "leave it out: only root can prepare disks")
        return (method, "-n")

    def _shared(self, name: str, types: tuple[type, ...], default: Any) -> Any:
        return self._value(f"subfloor_{name}", types, self._value(f"ansible_{name}", types, default))

    def _value(self, name: str, types: tuple[type, ...], default: Any) -> Any:
        try:
            value = self.scope.lookup(name)
        except KeyError:
            return default
        if isinstance(value, types) and (bool in types or not isinstance(value, bool)) and value != "":
            return value
        what, advice = f"`{name}` cannot be {scalars.kind(value)}", f"it is {CONNECTION_VARS[name]}"
        raise PlaybookError(what, advice=advice, where=self._place(name))

    def _wrong(self, name: str, what: str, advice: str) -> PlaybookError:
        full = next(
            (each for each in (f"subfloor_{name}", f"ansible_{name}") if each in self.declared), f"subfloor_{name}"
        )
        return PlaybookError(f"`{full}` {what}", advice=advice, where=self._place(full))

    def _place(self, name: str) -> Position:
        node = self.declared.get(name)
        return node.where if isinstance(node, Node) else self.where
