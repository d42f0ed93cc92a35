"""Names of block devices: which node of the kernel's one leads to, and which names there are."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.machine import Output, Subject


@dataclass(frozen=True)
class DeviceNode(Subject[str]):
    """The kernel's node of the block device that a path leads to; "" where it leads to none."""

    path: str

    def __str__(self) -> str:
        return f"device {self.path}"

    def probes(self) -> tuple[str, ...]:
        path = shlex.quote(self.path)
        return (f"[ -b {path} ] && readlink -f -- {path}",)

    def parse(self, *outputs: Output) -> str:
        return outputs[0].text.removesuffix("\n") if outputs[0].status == 0 else ""


_LIST = """
for each in /sys/class/block/*; do
  [ -e "$each" ] && printf '/dev/%s\\n' "${each##*/}"
done
for each in /dev/disk/by-id/* /dev/disk/by-path/*; do
  if [ -b "$each" ]; then printf '%s\\n' "$each"; fi
done
"""


@dataclass(frozen=True)
class DeviceNames(Subject[tuple[str, ...]]):
    """Every name of a block device: the kernel's, and those below /dev/disk/by-id and by-path."""

    def __str__(self) -> str:
        return "names of block devices"

    def probes(self) -> tuple[str, ...]:
        return (_LIST,)

    def parse(self, *outputs: Output) -> tuple[str, ...]:
        return tuple(outputs[0].text.splitlines())
