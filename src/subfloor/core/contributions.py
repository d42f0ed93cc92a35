"""What tasks contribute to the configuration of the installed system.

A layout and a configuration must never disagree. So a task that mounts, persists or swaps to something
contributes what the installed system must know about it, and the task that writes the configuration reads these
contributions. All paths are as seen during the installation, under the install root. Devices have the names that
the play uses. ``label`` is the label that the play gives to the content of the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from subfloor.storage.devices import logical_volume


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
    """A directory or file that persists across boots: it lies in ``store`` under its own path.

    ``needed_for_boot``: it must be mounted early in the boot of the installed system. ``linked``: it is read before
    any bind mount can be made, so the path is a symbolic link into the store.
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

    ``random_key``: it is encrypted with a new key at every boot, so it has no label or UUID of its own.
    """

    device: str
    priority: int | None = None
    discard: str | None = None
    label: str = ""
    random_key: bool = False


@dataclass(frozen=True)
class SwapFile:
    """A swap file that the installed system activates. ``hibernation``: the system hibernates to it."""

    path: str
    priority: int | None = None
    hibernation: bool = False


@dataclass(frozen=True)
class EncryptedDevice:
    """A LUKS container, of ``device``, that the installed system opens as ``/dev/mapper/NAME``.

    ``key_file``: the file that opens it; None: a passphrase is asked for at the boot. ``header``: its detached header,
    a file or a path below /dev. ``allow_discards``: discards reach the device. ``tokens``: hardware that was
    enrolled with systemd-cryptenroll(1), and is tried first. ``label``: the label in its header. ``pbkdf``: how its
    keys are derived, as cryptsetup-luksFormat(8) names it; None for cryptsetup's default.
    """

    name: str
    device: str
    key_file: str | None = None
    allow_discards: bool = False
    header: str | None = None
    tokens: tuple[Literal["tpm2", "fido2"], ...] = ()
    label: str = ""
    pbkdf: str | None = None

    @property
    def path(self) -> str:
        """The path of the open container."""
        return f"/dev/mapper/{self.name}"


@dataclass(frozen=True)
class LogicalVolume:
    """A logical volume of LVM, on a group that lies on ``devices``. ``type``: as lvcreate(8) names it."""

    group: str
    name: str
    devices: tuple[str, ...]
    type: str = "linear"

    @property
    def path(self) -> str:
        """The path of the active volume."""
        return logical_volume(self.group, self.name)


@dataclass(frozen=True)
class ArrayDevice:
    """An md array that the installed system assembles as ``/dev/md/NAME``. ``devices``: its members."""

    name: str
    uuid: str
    devices: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path of the assembled array."""
        return f"/dev/md/{self.name}"


@dataclass(frozen=True)
class Rollback:
    """A btrfs subvolume that the installed system replaces at every boot by a snapshot of another one, ``blank``.

    ``device``: as in the ``FileSystem`` that mounts it; ``subvolume``, ``blank``: paths from the filesystem's top
    level, without a slash at their start. ``keep``: how many former subvolumes are kept.
    """

    device: str
    subvolume: str
    blank: str
    keep: int = 1


@dataclass(frozen=True)
class PasswordFile:
    """A file that holds the hash of a user's password."""

    user: str
    path: str


@dataclass(frozen=True)
class Administrators:
    """The users who may become root on the installed system, as the configuration in directory ``path`` declares.

    ``by_ssh``: those who have ssh keys, if sshd runs. ``password_files``: those that it declares.
    ``excused``: the configuration declares that nobody needs to log in.
    """

    path: str
    names: frozenset[str]
    by_ssh: frozenset[str] = frozenset()
    password_files: tuple[PasswordFile, ...] = ()
    excused: bool = False


@dataclass(frozen=True)
class Home:
    """A user's home directory. ``owner``: the user's UID, or empty if it is not declared."""

    path: str
    owner: str = ""


@dataclass(frozen=True)
class HostKey:
    """A private host key of sshd. ``type``: as sshd(8) names it, such as ``ed25519``."""

    path: str
    type: str


Contribution = (
    FileSystem
    | Persisted
    | SwapDevice
    | SwapFile
    | EncryptedDevice
    | LogicalVolume
    | ArrayDevice
    | Rollback
    | PasswordFile
    | Administrators
    | Home
    | HostKey
)
