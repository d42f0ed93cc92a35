"""Names of block devices: the kernel's node for any name, and the list of all names."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject
from subfloor.storage.devices import device

NODE = r"""
node_of() { # the name of a block device in sysfs. Sets $node.
    case $1 in
        *!*) node=/dev/$(printf %s "$1" | tr '!' /); return 0;;
        dm-*) read -r node < "/sys/class/block/$1/dm/name" 2>/dev/null && [ -b "/dev/mapper/$node" ] &&
            { node=/dev/mapper/$node; return 0; };;
        md[0-9]*) for node in /dev/md/[A-Za-z]*; do
            [ ! -b "$node" ] || [ ! "$node" -ef "/dev/$1" ] || return 0
        done;;
    esac
    node=/dev/$1
}
"""
"""A function in sh that sets $node to the node of a block device. The kernel numbers mapped devices and arrays in the
order in which they appear. So a mapped device gets the path of its device-mapper name (``/dev/mapper/vg0-root``, not
``/dev/dm-0``), and an array that has a name gets the path of this name (``/dev/md/root``, not ``/dev/md127``)."""

CANONICAL = rf"""
{NODE}
canonical() {{ # a path below /dev; the device's number, MAJOR:MINOR, if known. Sets $node, and its $block.
    node=$1 number=${{2-}}
    [ ! -L "$node" ] || node=$(readlink -f -- "$node")
    block=${{node#/dev/}}
    case $block in */*) block=$(printf %s "$block" | tr / '!');; esac
    if [ ! -e "/sys/class/block/$block" ]; then
        case "$number" in 0:* | '')
            [ -b "$node" ] && number=$(stat -c '0x%t 0x%T' -- "$node") || return 0
            number=$((${{number% *}})):$((${{number#* }}))
        esac
        number=$(readlink -- "/sys/dev/block/$number") || return 0
        block=${{number##*/}}
    fi
    node_of "$block"
}}
"""
"""A function in sh that sets $node to the canonical path of a block device. udev and device-mapper make links and
further nodes (``/dev/dm-0``, ``/dev/vg0/root``, ``/dev/disk/by-id/…``), and programs and the kernel may show any of
these."""


def node_probe(path: str) -> str:
    """A piece of sh that sets $node to the node of a device.

    A partition's node is derived from the node of its disk, because udev may make the partition's link late.
    """
    named = device(path)
    disk = f"{CANONICAL}\ncanonical {shlex.quote(named.disk)}"
    if named.number is None:
        return disk
    return f"{disk}; case $node in *[0-9]) node=${{node}}p;; esac; node=${{node}}{named.number}"


@dataclass(frozen=True)
class DeviceNode(Subject[str]):
    """The kernel's node of the block device that a path leads to; "" if the path leads to no block device."""

    path: str

    def __str__(self) -> str:
        return f"device {self.path}"

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        path = shlex.quote(self.path)
        return (f"{CANONICAL}\n[ -b {path} ] && canonical {path} && printf '%s\\n' \"$node\"",)

    def parse(self, *outputs: Output) -> str:
        """The path of the node; "" if there is no block device."""
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
