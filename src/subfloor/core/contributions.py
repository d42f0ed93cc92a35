"""What a play's tasks tell the installed system: the one source that a configuration is made from.

A layout and a configuration that disagree must be impossible. So tasks that mount, swap or keep something
say what the installed system has to know of it, and a task that writes a configuration asks them. All
paths are as seen now, under the install root; devices are named as the play names them, and ``label`` is
the label that the play itself gives to what is on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FileSystem:
    """A filesystem that the installed system mounts. ``device``: a path below /dev, or ``tmpfs``."""

    path: str
    device: str
    type: str
    options: tuple[str, ...] = ()
    needed_for_boot: bool = False
    label: str = ""


@dataclass(frozen=True)
class Persisted:
    """A directory, or file, that outlives a boot: it lies in ``store`` under its own path.

    ``needed_for_boot``: before the installed system looks for itself. ``linked``: what reads it does so
    before any bind can be made, so the path is a symbolic link into the store.
    """

    path: str
    store: str
    kind: Literal["directory", "file"] = "directory"
    owner: str = "root"
    group: str = "root"
    mode: str = "0755"
    needed_for_boot: bool = False
    linked: bool = False


@dataclass(frozen=True)
class SwapDevice:
    """A swap area that the installed system activates. ``priority`` None: the kernel chooses.

    ``random_key``: it is encrypted with a new key at every boot, so nothing on it has a name of its own.
    """

    device: str
    priority: int | None = None
    discard: str | None = None
    label: str = ""
    random_key: bool = False


@dataclass(frozen=True)
class PasswordFile:
    """A file that holds the hash of a user's password."""

    user: str
    path: str


@dataclass(frozen=True)
class Administrators:
    """Who may become root on the installed system, as the configuration in the directory ``path`` declares it.

    ``by_ssh``: those who have ssh keys, if sshd runs. ``password_files``: those that are declared there.
    ``excused``: nobody has to log in.
    """

    path: str
    names: frozenset[str]
    by_ssh: frozenset[str] = frozenset()
    password_files: tuple[PasswordFile, ...] = ()
    excused: bool = False


@dataclass(frozen=True)
class Home:
    """A user's home directory. ``owner``: the user's number, or empty where that is not declared."""

    path: str
    owner: str = ""


@dataclass(frozen=True)
class HostKey:
    """A private key that sshd proves the machine by. ``type``: as sshd(8) names it, such as ``ed25519``."""

    path: str
    type: str


Contribution = FileSystem | Persisted | SwapDevice | PasswordFile | Administrators | Home | HostKey
