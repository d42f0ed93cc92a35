"""The users of the installed system. Their passwords are in no configuration: only where their hashes are."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from subfloor.nixos import nix
from subfloor.nixos.layout import Layout
from subfloor.parameters import Param

Name = Annotated[str, Param("A user's name, as useradd(8) takes it", pattern=r"^[a-z_][a-z0-9_-]{0,30}$")]


@dataclass(frozen=True, kw_only=True)
class User:
    """A user, by what people set of one; everything else is as NixOS has it."""

    uid: Annotated[int | None, Param("The number; else NixOS takes one that is free", minimum=1, maximum=65533)] = None
    description: Annotated[str, Param("The full name, perhaps")] = ""
    groups: Annotated[tuple[str, ...], Param("Further groups", examples=(["wheel", "networkmanager"],))] = ()
    ssh_keys: Annotated[tuple[str, ...], Param("Public keys to log in with by ssh")] = ()
    home: Annotated[str | None, Param("The home directory; else /home/NAME")] = None
    password_file: Annotated[
        str | None, Param("A file on the installed system with the password's hash; else a `password-file` task's")
    ] = None


def homes(users: Mapping[str, User]) -> dict[str, str]:
    """The users' home directories."""
    return {name: _home(name, user) for name, user in users.items()}


def _home(name: str, user: User) -> str:
    return user.home or ("/root" if name == "root" else posixpath.join("/home", name))


def settings(users: Mapping[str, User], layout: Layout) -> dict[str, nix.Value]:
    """`users`: those that are declared, and nobody may change them but by the configuration."""
    files = password_files(users, layout)
    every = {name: users.get(name, User()) for name in (*users, *(each for each in files if each not in users))}
    found: dict[str, nix.Value] = {"mutableUsers": False}
    if told := {name: _user(name, user, files.get(name)) for name, user in every.items()}:
        found["users"] = told
    return found


def password_files(users: Mapping[str, User], layout: Layout) -> dict[str, str]:
    """Where each user's hash is: as declared, or as a task of the play makes it.

    Raises ``ValueError`` for a password file of nobody who is declared, and where there are two for one.
    """
    found = {name: user.password_file for name, user in users.items() if user.password_file}
    for each in layout.passwords:
        if each.user not in users and each.user != "root":
            raise ValueError(f"users: there is no {each.user}, for whom a task of the play makes a password file")
        if found.setdefault(each.user, each.path) != each.path:
            raise ValueError(f"users: {each.user} has two password files, {found[each.user]} and {each.path}")
    return found


def _user(name: str, user: User, password_file: str | None) -> dict[str, nix.Value]:
    found: dict[str, nix.Value] = {} if name == "root" else {"isNormalUser": True}
    said: dict[str, nix.Value] = {
        "uid": user.uid,
        "description": user.description,
        "home": user.home,
        "extraGroups": list(user.groups),
        "hashedPasswordFile": password_file,
    }
    found |= {key: value for key, value in said.items() if value}
    if user.ssh_keys:
        found["openssh"] = {"authorizedKeys": {"keys": list(user.ssh_keys)}}
    return found
