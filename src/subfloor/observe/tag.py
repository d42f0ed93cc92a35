"""Block devices by a tag of their content or of their table entry: ``LABEL=nixos``, ``PARTUUID=…``.

This is used only for devices that the play does not lay out. The tags of the disks that it lays out follow from the
play, even before anything is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Subject
from subfloor.observe.device_names import NODE
from subfloor.observe.disk.subject import decoded
from subfloor.observe.time_limits import ASK


@dataclass(frozen=True)
class Tagged:
    """A device that carries the tag: its node, the type of its content as blkid reports it, its partition's name."""

    node: str
    type: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.node} ({self.type or 'nothing known'})"


@dataclass(frozen=True)
class Tag(Subject[tuple[Tagged, ...]]):
    """All devices that carry a tag: none, one or several."""

    tag: str

    def __str__(self) -> str:
        return f"device with {self.tag}"

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        return (PROBE,)

    def parse(self, *outputs: Output) -> tuple[Tagged, ...]:
        """The devices. Raises ``LookFailed`` if blkid is missing, or if none is found and a device does not answer."""
        (found,) = outputs
        if found.status == 127:
            raise LookFailed(f"the search for the {self} failed: blkid is missing", advice="install util-linux")
        if found.status:
            raise LookFailed(f"the search for the {self} failed", advice="check that /sys is mounted on this host")
        listed = dict(devices(found.text))
        kind, _, wanted = self.tag.partition("=")
        seen = {
            Tagged(node, about.get("ID_FS_TYPE", ""), decoded(about.get("ID_PART_ENTRY_NAME", "")))
            for node, about in listed.items()
            if kind in _KEYS and _same(kind, decoded(about.get(_KEYS[kind], "")), wanted)
        }
        silent = [node for node, about in listed.items() if "silent" in about]
        if silent and not seen:
            raise LookFailed(
                f"the search for the {self} failed: {', '.join(silent)} cannot be read, or does not answer",
                advice="look at the kernel's log (dmesg) for errors of the device; detach it, or give the wanted "
                "device by its path below /dev/disk/by-id",
            )
        return tuple(sorted(seen, key=lambda each: each.node))


_KEYS = {
    "LABEL": "ID_FS_LABEL_ENC",
    "UUID": "ID_FS_UUID",
    "PARTLABEL": "ID_PART_ENTRY_NAME",
    "PARTUUID": "ID_PART_ENTRY_UUID",
}
"""The names of the tags in udev's database and in the output of ``blkid -o udev``."""


def _same(kind: str, found: str, wanted: str) -> bool:
    return bool(found) and (found.lower() == wanted.lower() if kind.endswith("UUID") else found == wanted)


def devices(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The node of each device, and what ``PROBE`` printed about it; ``size`` in sectors of 512 bytes."""
    about: dict[str, str] = {}
    for line in text.split("\n"):
        if line.startswith("device "):
            about = {}
            yield line.removeprefix("device "), about
        elif line:
            key, _, value = line.partition("=")
            about[key] = value


# udev's database is read first, so a device that no longer answers delays nothing. Only a device unknown to udev is
# read, for some seconds at most. sysfs has ! in place of the / in names such as cciss/c0d0.
PROBE = rf"""
{NODE}
{ASK}
command -v blkid >/dev/null || exit 127
[ -e /sys/class/block ] || exit 1
for s in /sys/class/block/*; do
    name=${{s##*/}}
    case $name in ram*|fd*) continue;; esac
    size=0; number=
    read -r size < "$s/size" && [ "$size" -gt 0 ] && read -r number < "$s/dev" || continue
    node_of "$name"
    echo "device $node"
    echo "size=$size"
    if [ -r "/run/udev/data/b$number" ]; then
        while IFS= read -r line; do
            case $line in E:ID_FS_*=* | E:ID_PART_ENTRY_*=*) printf '%s\n' "${{line#E:}}";; esac
        done < "/run/udev/data/b$number"
        continue
    fi
    case $name in sr*) continue;; esac
    ask -p -o udev -- "$node"
    case $status in
        0) printf '%s\n' "$answer";;
        silent) echo "silent=yes";;
    esac
done
exit 0
"""
