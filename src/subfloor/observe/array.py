"""The md arrays of one name, as the kernel reports them: their members, and whether all are present and in sync.

A look assembles no array. The state is read from sysfs (Documentation/admin-guide/md.rst), the name and the UUID from
the superblock of a member.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Subject
from subfloor.observe.device_names import NODE
from subfloor.storage.arrays import name_in
from subfloor.storage.raid_levels import layout_in


@dataclass(frozen=True)
class Array:
    """An md array. ``level``: as the kernel names it, such as ``raid1``. ``count``: the members of the complete array.

    ``each``: how many bytes of each member hold data; 0 at level 0. ``chunk``: in bytes; 0 at level 1. ``layout``: the
    layout of level 10 in mdadm's notation; "" at other levels. ``metadata``: the version of the superblock's format.
    ``members``: the nodes of the member devices without the ``faulty`` ones. ``active``: the array is started.
    ``broken``: a level 0 array has lost a member. ``syncing``: what the kernel does to bring all members in sync, in
    words; "" if nothing.
    """

    WORDS: ClassVar[Mapping[str, str]] = {
        "count": "number of members",
        "each": "size of each member",
        "chunk": "chunk size",
    }

    uuid: str
    node: str
    level: str
    count: int
    each: int = 0
    chunk: int = 0
    layout: str = ""
    metadata: str = "1.2"
    members: frozenset[str] = frozenset()
    faulty: frozenset[str] = frozenset()
    active: bool = True
    broken: bool = False
    syncing: str = field(default="", compare=False)

    def __str__(self) -> str:
        missing = self.count - len(self.members)
        faulty = f", faulty {', '.join(sorted(self.faulty))}" if self.faulty else ""
        state = f", {missing} of {self.count} missing" if missing > 0 else ""
        return f"{self.level} of {', '.join(sorted(self.members)) or 'nothing'}{faulty}{state}"


@dataclass(frozen=True)
class ArraysNamed(Subject[tuple[Array, ...]]):
    """All arrays with this name that the kernel knows, whichever system made them."""

    name: str

    def __str__(self) -> str:
        return f"array {self.name}"

    def probes(self) -> tuple[str, ...]:
        """One probe, which starts mdadm only if the kernel has an md array."""
        return (_PROBE,)

    def parse(self, *outputs: Output) -> tuple[Array, ...]:
        """The arrays, sorted by UUID. Raises ``LookFailed`` if the kernel has an array and mdadm is missing."""
        (output,) = outputs
        if output.status == 127:
            raise LookFailed("this machine has an md array, and mdadm is missing", advice="install mdadm")
        every = (_facts(about) for about in re.split("^array ", output.text, flags=re.MULTILINE)[1:])
        found = (_array(facts) for facts in every if name_in(_one(facts, "MD_NAME")) == self.name)
        return tuple(sorted(found, key=lambda array: array.uuid))


_Facts = list[tuple[str, str]]


def _facts(text: str) -> _Facts:
    pairs = (re.fullmatch(r"([^ =]+)[ =](.*)", line) for line in f"node {text}".split("\n"))
    return [(found[1], found[2]) for found in pairs if found]


def _one(facts: _Facts, key: str) -> str:
    return dict(facts).get(key, "")


def _array(facts: _Facts) -> Array:
    faulty = frozenset(_members(facts, faulty=True))
    action = _one(facts, "action")
    return Array(
        uuid=standard(_one(facts, "MD_UUID")),
        node=_one(facts, "node"),
        level=_one(facts, "level"),
        count=int(_one(facts, "disks") or 0),
        each=int(_one(facts, "each") or 0) * 1024,
        chunk=int(_one(facts, "chunk") or 0),
        layout=layout_in(_one(facts, "level"), int(_one(facts, "layout") or 0)),
        metadata=_one(facts, "metadata"),
        members=frozenset(_members(facts, faulty=False)),
        faulty=faulty,
        active=_one(facts, "state") not in ("inactive", "clear", ""),
        broken=_one(facts, "state") == "broken",
        syncing=_SYNCING.get(action, ""),
    )


_SYNCING = {"resync": "resynchronising", "recover": "rebuilding a member", "reshape": "reshaping"}
"""In words, the values of ``sync_action`` that change members; ``check`` and ``idle`` change none."""


def _members(facts: _Facts, *, faulty: bool) -> Iterator[str]:
    for node, _, state in (value.partition(" ") for key, value in facts if key == "member"):
        if ("faulty" in state.split(",")) == faulty:
            yield node


def standard(uuid: str) -> str:
    """The standard form of a UUID that mdadm wrote as four groups with colons."""
    digits = re.sub(r"[^0-9a-f]", "", uuid.lower())
    ends = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return "-".join(digits[start:end] for start, end in ends)


_PROBE = rf"""
{NODE}
value() {{ value=; [ ! -r "$1" ] || read -r value < "$1" || :; }}
for s in /sys/class/block/md*; do
    [ -d "$s/md" ] || continue
    command -v mdadm >/dev/null || exit 127
    node_of "${{s##*/}}"; echo "array $node"
    value "$s/md/array_state"; echo "state $value"
    value "$s/md/level"; echo "level $value"
    value "$s/md/raid_disks"; echo "disks $value"
    value "$s/md/component_size"; echo "each $value"
    value "$s/md/chunk_size"; echo "chunk $value"
    value "$s/md/layout"; echo "layout $value"
    value "$s/md/metadata_version"; echo "metadata $value"
    value "$s/md/sync_action"; echo "action $value"
    first=
    for m in "$s"/md/dev-*; do
        [ -e "$m/state" ] || continue
        value "$m/state"; state=$value
        node_of "${{m##*/dev-}}"; echo "member $node $state"
        case $state in *faulty*) ;; *) first=${{first:-$node}};; esac
    done
    [ -z "$first" ] || timeout -k 1 10 mdadm --examine --export "$first" 2>/dev/null || :
done
exit 0
"""


@dataclass(frozen=True)
class Superblock:
    """The superblock of an array's member. ``uuid``: the array's. ``alone``: it records that a member was missing."""

    uuid: str
    alone: bool = False


@dataclass(frozen=True)
class MemberOf(Subject[Superblock | None]):
    """The array superblock on a device; None if mdadm finds none. ``node``: the kernel's path of the device."""

    node: str

    def __str__(self) -> str:
        return f"superblock of {self.node}"

    def probes(self) -> tuple[str, ...]:
        """One probe: ``mdadm --examine``, which only reads."""
        return (f"mdadm --examine {shlex.quote(self.node)} 2>/dev/null\nexit 0",)

    def parse(self, *outputs: Output) -> Superblock | None:
        """The superblock; None if mdadm finds none."""
        facts = dict(_lines(outputs[0].text.split("\n")))
        if "Array UUID" not in facts:
            return None
        # Such as `AA. ('A' == active, '.' == missing, 'R' == replacing)`.
        state = facts.get("Array State", ".").partition(" ")[0]
        return Superblock(standard(facts["Array UUID"]), "." in state)


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        key, _, value = line.partition(" : ")
        yield key.strip(), value.strip()
