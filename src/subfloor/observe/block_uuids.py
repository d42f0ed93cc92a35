"""Every block device of the machine that carries a UUID: of a table, a partition or a filesystem."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.machine import Output, Subject
from subfloor.observe.device_names import NODE
from subfloor.observe.time_limits import ASK

# udev's database is read first, so a disk that no longer answers delays nothing. Only devices unknown to udev are read:
# all by one process or, if that takes longer than five seconds, each by a separate process. A process that hangs is not
# waited for. sysfs has ! in place of the / in names such as cciss/c0d0.
_PROBE = rf"""
{NODE}
{ASK}
show() {{ node_of "$2"; echo "$1 ${{node#/dev/}}"; }}
set --
for s in /sys/class/block/*; do
    name=${{s##*/}}
    case $name in ram*|zram*|sr*|fd*) continue;; esac
    size=0; number=
    read -r size < "$s/size" && [ "$size" -gt 0 ] && read -r number < "$s/dev" || continue
    show device "$name"
    [ ! -e "$s/partition" ] || {{ of=$(cd -P "$s/.." && pwd); show partition-of "${{of##*/}}"; }}
    for below in "$s"/slaves/*; do [ ! -e "$below" ] || show above "${{below##*/}}"; done
    [ ! -r "$s/loop/backing_file" ] || {{ read -r file < "$s/loop/backing_file"
        [ ! -b "$file" ] || echo "above ${{file#/dev/}}"; }}
    if [ -r "/run/udev/data/b$number" ]; then
        while read -r line; do
            case $line in
                E:ID_PART_TABLE_UUID=*) echo "table ${{line#*=}}";;
                E:ID_PART_ENTRY_UUID=*) echo "entry ${{line#*=}}";;
                E:ID_FS_UUID=*) echo "holds ${{line#*=}}";;
                E:ID_FS_UUID_SUB=*) echo "member ${{line#*=}}";;
            esac
        done < "/run/udev/data/b$number"
        continue
    fi
    node_of "$name"
    set -- "$@" "$node"
done
read_uuids() {{ ask -c /dev/null -o export -- "$@"; }}
[ $# = 0 ] || {{
    read_uuids "$@"
    printf '%s\n' "$answer"
    [ "$status" != silent ] || for each; do read_uuids "$each"; printf '%s\n' "$answer"; done
}} | while read -r line; do
    case $line in
        DEVNAME=*) show device "${{line#*=/dev/}}";;
        PTUUID=*) echo "table ${{line#*=}}";;
        PARTUUID=*) echo "entry ${{line#*=}}";;
        UUID=*) echo "holds ${{line#*=}}";;
        UUID_SUB=*) echo "member ${{line#*=}}";;
    esac
done
exit 0
"""

KINDS = {"table": "label-id", "entry": "PARTUUID", "holds": "UUID"}
"""The name of each kind of UUID, by the key that the probe prints."""


@dataclass(frozen=True)
class UuidHolder:
    """A device and one UUID that it carries, in lower case; ``kind``: one of the values of ``KINDS``.

    ``disk``: the node of the whole device: for a partition, that of its disk. ``below``: the nodes of ``disk`` and of
    all whole devices that ``disk`` lies on; a mirror carries the UUIDs of its members. ``member``: the UUID of this one
    device in a filesystem that may lie on several devices (btrfs); all of these carry the filesystem's UUID.
    """

    node: str
    disk: str
    kind: str
    uuid: str
    below: frozenset[str] = frozenset()
    member: str = ""


@dataclass(frozen=True)
class BlockUuids(Subject[tuple[UuidHolder, ...]]):
    """All devices of the machine that carry a UUID."""

    def __str__(self) -> str:
        return "UUIDs of all devices"

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        return (_PROBE,)

    def parse(self, *outputs: Output) -> tuple[UuidHolder, ...]:
        """One ``UuidHolder`` for each UUID of each device."""
        devices = _devices(outputs[0].text)
        return tuple(
            UuidHolder(
                _node(name),
                _node(_whole(name, devices)),
                KINDS[key],
                uuid.lower(),
                frozenset(map(_node, _below(_whole(name, devices), devices, frozenset()))),
                next((value for other, value in lines if (key, other) == ("holds", "member")), ""),
            )
            for name, lines in devices.items()
            for key, uuid in lines
            if key in KINDS
        )


_Devices = dict[str, list[tuple[str, str]]]


def _devices(text: str) -> _Devices:
    """What the probe printed about each device, by the node without ``/dev/``. A device may be printed twice."""
    devices: _Devices = {}
    lines: list[tuple[str, str]] = []
    for line in text.split("\n"):
        key, _, value = line.partition(" ")
        if key == "device":
            lines = devices.setdefault(value, [])
        elif key and (key, value) not in lines:
            lines.append((key, value))
    return devices


def _whole(name: str, devices: _Devices) -> str:
    return next((value for key, value in devices.get(name, ()) if key == "partition-of"), name)


def _below(name: str, devices: _Devices, seen: frozenset[str]) -> frozenset[str]:
    """The whole devices that a whole device lies on, and the device itself, added to those in ``seen``."""
    seen |= {name}
    for key, value in devices.get(name, ()):
        whole = _whole(value, devices)
        if key == "above" and whole not in seen:
            seen = _below(whole, devices, seen)
    return seen


def _node(name: str) -> str:
    return f"/dev/{name.replace('!', '/')}"
