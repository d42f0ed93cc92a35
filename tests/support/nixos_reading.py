"""What an evaluated configuration says will be mounted and swapped on, told from the outside.

It reads the options as NixOS does (nixos/modules/tasks/filesystems.nix, config/swap.nix, lib/utils.nix)
and the module `impermanence` (its nixos.nix), and knows nothing of how the configuration was made.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# nixos/lib/utils.nix
_EARLY = {"/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr"}


@dataclass(frozen=True)
class Reading:
    """What is mounted, by path; for a bind, `device` is a path.

    ``files``: what impermanence binds, or links, when the system is activated. ``links``: symbolic links
    below /etc.
    """

    mounts: Mapping[str, Any]
    swaps: tuple[Mapping[str, Any], ...]
    links: Mapping[str, str]
    files: Mapping[str, str]

    @property
    def binds(self) -> Mapping[str, str]:
        """The source of every bind, whenever it is made."""
        bound = {path: about["device"] for path, about in self.mounts.items() if "bind" in about.get("options", ())}
        return {**bound, **self.files}

    def is_early(self, path: str) -> bool:
        """Whether stage 1 mounts it (fsNeededForBoot)."""
        return bool(self.mounts[path].get("neededForBoot")) or path in _EARLY

    def needs(self, path: str) -> Iterator[str]:
        """The other mounts that must be there before this one (fsBefore)."""
        about = self.mounts[path]
        for other in self.mounts:
            if other != path and any(
                _inside(each, other) for each in (path, about["device"], *about.get("depends", ()))
            ):
                yield other


def read(found: Mapping[str, Any]) -> Reading:
    """A reading of the module's attributes, as `nix-instantiate --json` prints them.

    Impermanence (its nixos.nix and submodule-options.nix since January 2026) makes binds by `systemd.mounts`, so an
    entry of `fileSystems` is a whole one or an error. It deduces home directories, and has no option for them.
    """
    mounts = {path: dict(about) for path, about in found["fileSystems"].items()}
    for path, about in mounts.items():
        assert about.get("device"), f"No device specified for mount point {path}"
    files: dict[str, str] = {}
    for store, about in found.get("environment", {}).get("persistence", {}).items():
        assert mounts.get(store, {"neededForBoot": True}).get("neededForBoot") is True, "impermanence asserts it"
        homes = [("", about)]
        for name, user in about.get("users", {}).items():
            assert user.keys() <= {"directories", "files"}, f"there are no such options: {user.keys()}"
            homes.append((f"/home/{name}", user))
        for home, kept in homes:
            for path in _paths(kept.get("directories", ()), home, "directory"):
                assert path not in mounts, f"{path} is kept twice"
                assert path not in _EARLY, f"{path} is mounted in stage 2 only"
                mounts[path] = {"device": posixpath.join(store, path[1:]), "options": ["bind"], "depends": [store]}
            files |= {path: posixpath.join(store, path[1:]) for path in _paths(kept.get("files", ()), home, "file")}
    etc = found.get("environment", {}).get("etc", {})
    links = {posixpath.join("/etc", name): about["source"] for name, about in etc.items() if "source" in about}
    return Reading(mounts, tuple(found["swapDevices"]), links, files)


def _paths(listed: list[Any], home: str, key: str) -> Iterator[str]:
    for each in listed:
        # They are put together as text (lib.nix, concatPaths), so what is absolute is not taken as such.
        path = each if isinstance(each, str) else each[key]
        yield f"{home}/{path}" if home else path


def _inside(path: str, folder: str) -> bool:
    return path.startswith("/") and posixpath.commonpath((path, folder)) == folder
