"""The devices above a device: mappings, logical volumes and arrays on it, and the devices that lie on these.

None of these devices is read, because one may be suspended: sysfs and udev's database show everything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject
from subfloor.observe import mountinfo
from subfloor.observe.device_names import CANONICAL
from subfloor.observe.disk.facts import ProbeOutput
from subfloor.observe.disk.state import Content
from subfloor.observe.disk.subject import content_of
from subfloor.storage.sizes import rounded


@dataclass(frozen=True)
class Holder:
    """A device above another; ``size`` in bytes. ``uuid``: its UUID in device-mapper; "" for a device of another kind.

    ``content``: from udev's database; None if udev knows none. ``mounts``: the paths at which the device is mounted.
    """

    node: str
    size: int
    uuid: str = ""
    content: Content | None = None
    mounts: tuple[str, ...] = ()

    def __str__(self) -> str:
        mounts = (f"mounted at {path}" for path in self.mounts)
        content = (str(self.content),) if self.content else ()
        return f"{self.node} ({', '.join((rounded(self.size), *content, *mounts))})"

    @property
    def closes(self) -> str:
        """The command that stops or closes the device; "" if no such command is known."""
        name = self.node.removeprefix("/dev/mapper/")
        if self.uuid.startswith("CRYPT-"):
            return shlex.join(("cryptsetup", "close", name))
        if self.uuid.startswith("LVM-") and (group := _GROUP.match(name)):
            return shlex.join(("vgchange", "--activate", "n", group[1].replace("--", "-")))
        return shlex.join(("mdadm", "--stop", self.node)) if _ARRAY.fullmatch(self.node) else ""


_GROUP = re.compile(r"((?:[^-]|--)+)-(?!-)")
"""Finds the group's name in the device-mapper name of a logical volume, where hyphens in names are doubled (lvm(8))."""

_ARRAY = re.compile(r"/dev/md(/[A-Za-z])?[^/]*")


@dataclass(frozen=True)
class Holders(Subject[tuple[Holder, ...]]):
    """All devices above a disk or partition, and above its partitions; lower devices come first.

    ``node``: the kernel's path of the disk or partition.
    """

    node: str

    def __str__(self) -> str:
        return f"devices above {self.node}"

    def probes(self) -> tuple[str, ...]:
        """The probes: the devices, and the mounts."""
        return f"n={shlex.quote(self.node)}\n{_PROBE}", mountinfo.PROBE

    def parse(self, *outputs: Output) -> tuple[Holder, ...]:
        """The devices, each once."""
        listed, mounts = outputs
        return tuple({each.node: each for each in _uppers(listed.text, mounts.stdout)}.values())


def _uppers(text: str, mounts: bytes) -> Iterator[Holder]:
    for about in text.split("\0")[1:]:
        facts = ProbeOutput.of(about)
        node = facts.one("node")
        device = facts.one("dev")
        paths = (each.path for each in mountinfo.parse(mounts) if device == each.device or node == each.source)
        yield Holder(
            node,
            facts.number("size") * 512,
            facts.one("uuid"),
            content_of(dict(facts.pairs)),
            tuple(dict.fromkeys(paths)),
        )


_PROBE = rf"""
{CANONICAL}
above() {{ # a directory in sysfs
    for h in "$1"/holders/*; do
        [ -e "$h" ] || continue
        set -- "$1" "${{h##*/}}"
        describe "$2"
        over "/sys/class/block/$2"
    done
}}
over() {{ # above a device and its partitions
    above "$1"
    for p in "$1"/"${{1##*/}}"*; do [ ! -e "$p/partition" ] || above "$p"; done
}}
describe() {{
    node_of "$1"
    printf '\0\nnode %s\n' "$node"
    s=/sys/class/block/$1 number=; uuid=; size=0
    read -r number < "$s/dev" && read -r size < "$s/size" || return 0
    [ ! -r "$s/dm/uuid" ] || read -r uuid < "$s/dm/uuid" || :
    printf 'dev %s\nsize %s\nuuid %s\n' "$number" "$size" "$uuid"
    [ -r "/run/udev/data/b$number" ] || return 0
    while IFS= read -r line; do
        case $line in
            E:ID_FS_TYPE=* | E:ID_FS_LABEL_ENC=* | E:ID_FS_UUID=* | E:ID_PART_TABLE_TYPE=*)
                line=${{line#E:}}; printf '%s %s\n' "${{line%%=*}}" "${{line#*=}}";;
        esac
    done < "/run/udev/data/b$number"
}}
canonical "$n"
over "/sys/class/block/$block"
exit 0
"""
