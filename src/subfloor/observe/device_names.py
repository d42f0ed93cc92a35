"""Names of block devices: which node of the kernel's one leads to, and which names there are."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject

CANONICAL = r"""
canonical() { # a path below /dev; the device's number, MAJOR:MINOR, where it is known. Sets $node.
    node=$1 number=${2-}
    [ ! -L "$node" ] || node=$(readlink -f -- "$node")
    [ ! -e "/sys/class/block/${node#/dev/}" ] || return 0
    case "$number" in 0:* | '')
        [ -b "$node" ] && number=$(stat -c '0x%t 0x%T' -- "$node") || return 0
        number=$((${number% *})):$((${number#* }))
    esac
    number=$(readlink -- "/sys/dev/block/$number") || return 0
    node=/dev/$(printf %s "${number##*/}" | tr '!' /)
}
"""
"""A function in sh. A mapped device has one node of its own (``/dev/dm-0``) and, by udev or device-mapper, links or
further nodes (``/dev/mapper/vg0-root``, ``/dev/vg0/root``); programs and the kernel show any of them."""


@dataclass(frozen=True)
class DeviceNode(Subject[str]):
    """The kernel's node of the block device that a path leads to; "" where it leads to none."""

    path: str

    def __str__(self) -> str:
        return f"device {self.path}"

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        path = shlex.quote(self.path)
        return (f"{CANONICAL}\n[ -b {path} ] && canonical {path} && printf '%s\\n' \"$node\"",)

    def parse(self, *outputs: Output) -> str:
        """The kernel's path of the node, or ""."""
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
        """The probes to run, as pieces of sh."""
        return (_LIST,)

    def parse(self, *outputs: Output) -> tuple[str, ...]:
        """The names, as absolute paths."""
        return tuple(outputs[0].text.splitlines())
