"""The users of the installed system. A configuration names the files of their password hashes, never the hashes."""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from subfloor.core.contributions import Administrators, Home, PasswordFile
from subfloor.core.parameters import Param
from subfloor.nixos import nix
from subfloor.nixos.layout import Layout
from subfloor.observe.path import check_clean

Name = Annotated[str, Param("A user's name that useradd(8) accepts", pattern=r"^[a-z_][a-z0-9_-]{0,30}$")]


@dataclass(frozen=True, kw_only=True)
class User:
    """A user: the settings that people usually choose. All others are NixOS's defaults."""

    uid: Annotated[
        int | None, Param("The uid, from 1000; default: NixOS chooses a free one", minimum=0, maximum=65533)
    ] = None
    description: Annotated[str, Param("A description, such as the full name")] = ""
    groups: Annotated[tuple[str, ...], Param("Further groups", examples=(["wheel", "networkmanager"],))] = ()
    ssh_keys: Annotated[tuple[str, ...], Param("Public keys to log in with by ssh")] = ()
    home: Annotated[str | None, Param("The home directory; default: /home/NAME")] = None
    shell: Annotated[
        Literal["bash", "fish", "zsh"] | None,
        Param("The login shell, which is also enabled; default: NixOS's"),
    ] = None
    password_file: Annotated[
        str | None, Param("A file on the installed system with the password's hash; default: a `password-file` task's")
    ] = None


ByName = Mapping[Name, User]
"""Users, by name."""

# Names of NixOS's own system users. A normal user cannot have one of them.
_SYSTEM = re.compile(
    r"nobody|messagebus|polkituser|sshd|nscd|rtkit|avahi|colord|geoclue|usbmux|nm-openvpn|dhcpcd|"
    r"nixbld[0-9]*|systemd-.*|wpa_supplicant"
)
_BUILDERS = range(30001, 30033)
_NORMAL = range(1000, 65534)
_KEY_TYPES = re.compile(
    r"ssh-(ed25519|rsa|dss)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com"
)


def check_paths(users: Mapping[str, User]) -> None:
    """Raise ``ValueError`` if a home directory or password file is not a normalised absolute path."""
    for user in users.values():
        for path in filter(None, (user.home, user.password_file)):
            check_clean(path)


def check(users: Mapping[str, User]) -> None:
    """Raise ``ValueError`` for users that NixOS would refuse, or would accept although they could not log in.

    Source: nixos/modules/config/users-groups.nix, and `passwdEntry` and `singleLineStr` of lib/types.nix.
    """
    for name, user in users.items():
        _check_name(name)
        _check_uid(name, user.uid)
        for what, text in (("description", user.description), ("home", user.home or ""), *_groups(user)):
            if found := next((char for char in text if char == ":" or char in "\n\r\0"), None):
                raise ValueError(f"the {what} of {name} has {found!r}, which /etc/passwd cannot hold")
        if user.home == "/":
            raise ValueError(f"the home directory of {name} cannot be /")
        for number, key in enumerate(user.ssh_keys, start=1):
            _check_key(f"ssh key {number} of {name}", key)
    _check_unique(users)


def _groups(user: User) -> list[tuple[str, str]]:
    for group in user.groups:
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,30}", group):
            raise ValueError(f"{group!r} is not a valid group name: use up to 31 letters, digits and _ . -")
    return [("group", group) for group in user.groups]


def _check_name(name: str) -> None:
    if _SYSTEM.fullmatch(name):
        raise ValueError(f"{name} is a system user of NixOS; choose another name")
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", name):
        raise ValueError(f"{name!r} is not a valid user name")


def _check_uid(name: str, uid: int | None) -> None:
    if uid is None or (name == "root" and uid == 0):
        return
    if name == "root":
        raise ValueError(f"the uid of root is 0, not {uid}; remove it")
    if uid not in _NORMAL:
        raise ValueError(f"the uid of {name} is {uid}, but a normal user's must be from 1000 to 65533")
    if uid in _BUILDERS:
        raise ValueError(f"the uid of {name} is {uid}, but 30001 to 30032 belong to Nix's build users")


def _check_unique(users: Mapping[str, User]) -> None:
    by_uid: dict[int, str] = {}
    for name, user in users.items():
        if user.uid is not None and by_uid.setdefault(user.uid, name) != name:
            raise ValueError(f"{by_uid[user.uid]} and {name} have the same uid, {user.uid}")


def _check_key(what: str, key: str) -> None:
    """Raise ``ValueError`` unless the key is one line of authorized_keys(5).

    Such a line has optional options, a type, and a blob that begins with this type.
    """
    if "PRIVATE KEY" in key:
        raise ValueError(f"{what} is a private key; give the public key, from the file that ends in .pub")
    if len(key.strip().splitlines()) != 1:
        raise ValueError(f"{what} is not one line")
    words = key.split()
    at = next((index for index, word in enumerate(words) if _KEY_TYPES.fullmatch(word)), None)
    if at is None or not _is_blob(words[at], words[at + 1 : at + 2]):
        raise ValueError(f"{what} is not a public key, such as `ssh-ed25519 AAAA…`: sshd would not accept it")


def _is_blob(kind: str, blob: list[str]) -> bool:
    try:
        raw = base64.b64decode("".join(blob), validate=True)
    except ValueError:
        return False
    head = len(kind).to_bytes(4, "big") + kind.encode()
    return raw.startswith(head) and len(raw) >= len(head) + 4 + 32


def administrators(users: Mapping[str, User], path: str, openssh: bool, excused: bool) -> Administrators:
    """The users who may become root, as declared."""
    names = frozenset({"root", *(name for name, user in users.items() if "wheel" in user.groups)})
    by_ssh = frozenset(name for name in names if openssh and users.get(name, User()).ssh_keys)
    files = tuple(PasswordFile(name, user.password_file) for name, user in users.items() if user.password_file)
    return Administrators(path, names, by_ssh, files, excused)


def homes(users: Mapping[str, User]) -> dict[str, str]:
    """The users' home directories."""
    return {name: _home(name, user) for name, user in users.items()}


def contributed_homes(users: Mapping[str, User], root: str) -> tuple[Home, ...]:
    """The home directories, with paths below ``root``, and the uid of the owner if it is declared."""
    return tuple(
        Home(posixpath.join(root, _home(name, user)[1:]), "root" if name == "root" else f"{user.uid or ''}")
        for name, user in users.items()
    )


def _home(name: str, user: User) -> str:
    return user.home or ("/root" if name == "root" else posixpath.join("/home", name))


def settings(users: Mapping[str, User], layout: Layout, no_login: bool = False) -> dict[str, nix.Value]:
    """The option `users`: the declared users, which only the configuration may change.

    ``no_login``: nobody needs to log in. NixOS refuses to build such a system without `allowNoPasswordLogin`.
    """
    files = password_files(users, layout)
    every = {name: users.get(name, User()) for name in (*users, *(each for each in files if each not in users))}
    found: dict[str, nix.Value] = {"mutableUsers": False}
    if no_login:
        found["allowNoPasswordLogin"] = True
    if told := {name: _user(name, user, files.get(name)) for name, user in every.items()}:
        found["users"] = told
    return found


def password_files(users: Mapping[str, User], layout: Layout) -> dict[str, str]:
    """The file of each user's hash: as declared, or as a task of the play writes it.

    Raises ``ValueError`` for a password file of an undeclared user, and for two files of one user.
    """
    found = {name: user.password_file for name, user in users.items() if user.password_file}
    for each in layout.passwords:
        if each.user not in users and each.user != "root":
            raise ValueError(
                f"users: {each.user} is not declared, but a task of the play makes a password file for this user"
            )
        if found.setdefault(each.user, each.path) != each.path:
            raise ValueError(f"users: {each.user} has two password files, {found[each.user]} and {each.path}")
    return found


# NixOS refuses a shell other than bash unless its module is enabled (users-groups.nix: "programs.zsh.enable is not
# true").
_SHELLS = {
    "bash": nix.Expression("pkgs.bashInteractive"),
    "fish": nix.Expression("pkgs.fish"),
    "zsh": nix.Expression("pkgs.zsh"),
}


def programs(users: Mapping[str, User]) -> dict[str, nix.Value]:
    """The option `programs`: the login shells that NixOS does not enable by default."""
    shells = sorted({user.shell for user in users.values() if user.shell and user.shell != "bash"})
    return {shell: {"enable": True} for shell in shells}


def _user(name: str, user: User, password_file: str | None) -> dict[str, nix.Value]:
    found: dict[str, nix.Value] = {} if name == "root" else {"isNormalUser": True}
    said: dict[str, nix.Value] = {
        "uid": user.uid,
        "description": user.description,
        "home": user.home,
        "extraGroups": list(user.groups),
        "shell": _SHELLS[user.shell] if user.shell else None,
        "hashedPasswordFile": password_file,
    }
    found |= {key: value for key, value in said.items() if value}
    if user.ssh_keys:
        found["openssh"] = {"authorizedKeys": {"keys": list(user.ssh_keys)}}
    return found
