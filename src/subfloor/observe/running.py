"""The running system: its release, and how the machine was started."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject


@dataclass(frozen=True)
class OsRelease:
    """``ID``, ``VERSION_ID`` and ``BUILD_ID`` of os-release(5); each empty if it is not set."""

    id: str = ""
    version: str = ""
    build: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.id, self.version))) or "unknown"


@dataclass(frozen=True)
class RunningSystem(Subject[OsRelease]):
    """The release of the running system: on an installer, the installer's."""

    def __str__(self) -> str:
        return "running system"

    def probes(self) -> tuple[str, ...]:
        """One probe: the first readable os-release file."""
        return ("for f in /etc/os-release /usr/lib/os-release; do [ ! -r $f ] || { cat $f; break; }; done",)

    def parse(self, *outputs: Output) -> OsRelease:
        """The release; fields that are missing from the file are empty."""
        said = dict(_assignment(line) for line in outputs[0].text.splitlines() if "=" in line)
        return OsRelease(said.get("ID", ""), said.get("VERSION_ID", ""), said.get("BUILD_ID", ""))


def _assignment(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    try:
        words = shlex.split(value)
    except ValueError:
        words = []
    return name.strip(), words[0] if len(words) == 1 else ""


@dataclass(frozen=True)
class StartedByUefi(Subject[bool]):
    """Whether UEFI firmware started the machine; otherwise a BIOS, or UEFI's compatibility mode, did."""

    def __str__(self) -> str:
        return "start by UEFI"

    def probes(self) -> tuple[str, ...]:
        """One probe: whether /sys/firmware/efi exists."""
        return ("[ -d /sys/firmware/efi ]",)

    def parse(self, *outputs: Output) -> bool:
        """True for UEFI."""
        return outputs[0].status == 0
