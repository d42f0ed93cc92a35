"""What stage 1 of the boot, the initrd, can read before it mounts a filesystem."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.contributions import EncryptedDevice
from subfloor.nixos.layout import Layout


@dataclass(frozen=True)
class Initrd:
    """``systemd``: systemd runs in it, not NixOS's older scripts. ``embeds``: it is encrypted, so it may hold keys."""

    systemd: bool = True
    embeds: bool = False

    def reads(self, each: EncryptedDevice) -> tuple[str, ...]:
        """The files that the initrd must read from a mounted filesystem to open this container."""
        return () if self.embeds else tuple(path for _, path in files(each))

    def opens_first(self, layout: Layout, device: str) -> bool:
        """Whether the initrd can open all containers below a device before it mounts a filesystem.

        A system can resume only from such a device. A filesystem that is mounted before the system resumes would be
        damaged.
        """
        return not any(self.reads(each) for each in layout.containers(device))


def files(each: EncryptedDevice) -> tuple[tuple[str, str], ...]:
    """The key file and the header file of a container: what each is, and its path. Paths of devices are left out."""
    named = (("key file", each.key_file), ("header", each.header))
    return tuple((what, path) for what, path in named if path and not path.startswith("/dev/"))
