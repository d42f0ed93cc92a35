"""A boot of an evaluated configuration: what stage 1 and stage 2 can open and mount, one after the other.

It reads the options as NixOS does (luksroot.nix, filesystems.nix, lib/utils.nix), and crypttab as systemd does
(cryptsetup-generator.c: up to four fields between white space), and knows nothing of how the configuration was made.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nixos_reading import Reading, read

# The options of boot.initrd.luks.devices.<name> that are set here (luksroot.nix).
OPTIONS = {"device", "header", "keyFile", "allowDiscards", "fallbackToPassword", "crypttabExtraOpts"}


@dataclass
class Boot:
    """A machine that boots. ``devices``: what there is before anything is opened; ``systemd``: what stage 1 is."""

    found: Mapping[str, Any]
    devices: set[str]
    systemd: bool = True
    mounted: set[str] = field(default_factory=set)
    opened: list[str] = field(default_factory=list)

    @property
    def reading(self) -> Reading:
        return read(self.found)

    @property
    def _initrd(self) -> Mapping[str, Any]:
        return self.found.get("boot", {}).get("initrd", {})  # type: ignore[no-any-return]

    @property
    def luks(self) -> Mapping[str, Any]:
        """The containers that stage 1 opens."""
        return self._initrd.get("luks", {}).get("devices", {})  # type: ignore[no-any-return]

    @property
    def secrets(self) -> Mapping[str, str]:
        """The files that are copied into the initrd, by their places there."""
        return self._initrd.get("secrets", {})  # type: ignore[no-any-return]

    def crypttab(self) -> Iterator[tuple[str, str, str, set[str]]]:
        """The containers that stage 2 opens."""
        text = self.found.get("environment", {}).get("etc", {}).get("crypttab", {}).get("text", "")
        for line in text.splitlines():
            name, device, key, options = line.split()
            yield name, device, key, set(options.split(","))

    def run(self) -> None:
        """Boot; fails where something that is needed cannot be opened or mounted."""
        early = {path for path in self.reading.mounts if self.reading.is_early(path)}
        self._settle(lambda: self._open_first(mounts=False))
        resume = self.found.get("boot", {}).get("resumeDevice")
        assert resume is None or resume in self.devices, f"{resume} is not there when the system resumes"
        self._settle(lambda: self._open_first(mounts=self.systemd) or self._mount(early))
        assert early <= self.mounted, f"stage 1 cannot mount {early - self.mounted}"
        assert set(self.luks) <= set(self.opened), f"stage 1 cannot open {set(self.luks) - set(self.opened)}"
        self._settle(lambda: self._open_later() or self._mount(self.reading.mounts))
        names = {name for name, *_ in self.crypttab()}
        assert names <= set(self.opened), f"stage 2 cannot open {names - set(self.opened)}"
        assert not names & set(self.luks), "no container is opened twice"
        missing = set(self.reading.mounts) - self.mounted
        assert not missing, f"{missing} cannot be mounted"
        for area in self.reading.swaps:
            assert area["device"] in self.devices or self._has(area["device"]), f"there is no {area['device']}"

    @staticmethod
    def _settle(more: Any) -> None:
        while more():
            pass

    def _open_first(self, *, mounts: bool) -> bool:
        for name, about in sorted(self.luks.items()):
            assert about.keys() <= OPTIONS
            assert not (self.systemd and about.get("fallbackToPassword")), "luksroot.nix asserts it"
            files = [path for path in (about.get("keyFile"), about.get("header")) if path]
            ready = all(self._in_stage_1(path, mounts) for path in files)
            if name not in self.opened and about["device"] in self.devices and ready:
                return self._open(name)
            # The older scripts wait for each of them in turn, in the order of their names.
            assert self.systemd or name in self.opened, f"the scripts wait for {about['device']}, and then fail"
        return False

    def _in_stage_1(self, path: str, mounts: bool) -> bool:
        if path.startswith("/dev/") or path in self.secrets:
            return True
        assert path.startswith("/sysroot/"), f"the initrd has no {path}"
        return mounts and self._has(path.removeprefix("/sysroot"))

    def _open_later(self) -> bool:
        for name, device, key, options in self.crypttab():
            headers = [option.partition("=")[2] for option in options if option.startswith("header=")]
            ready = all(path.startswith("/dev/") or self._has(path) for path in (key, *headers) if path != "-")
            if name not in self.opened and device in self.devices and ready:
                return self._open(name)
        return False

    def _open(self, name: str) -> bool:
        self.opened.append(name)
        self.devices.add(f"/dev/mapper/{name}")
        return True

    def _has(self, path: str) -> bool:
        """Whether the filesystem that a file lies on is mounted, and is not empty at every boot."""
        holder = max((each for each in self.reading.mounts if _is_in(path, each)), key=len, default=None)
        if holder is None:
            return True
        assert self.reading.mounts[holder].get("fsType") != "tmpfs", f"{path} is gone after a reboot"
        return holder in self.mounted

    def _mount(self, paths: Collection[str]) -> bool:
        for path in paths:
            device = self.reading.mounts[path]["device"]
            ready = device in self.devices or device == "tmpfs" or path in self.reading.binds
            if path not in self.mounted and ready and set(self.reading.needs(path)) <= self.mounted:
                self.mounted.add(path)
                return True
        return False


def _is_in(path: str, folder: str) -> bool:
    return posixpath.commonpath((path, folder)) == folder
