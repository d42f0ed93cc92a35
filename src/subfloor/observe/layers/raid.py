"""The array of a member: its level, its size and its other devices, assembled or not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from subfloor.core.machine import Output
from subfloor.observe import tag
from subfloor.observe.layers.layer import Layer, Part, Place, absent, devices_in_words, relatives
from subfloor.observe.layers.member import Member
from subfloor.observe.time_limits import BOUNDED

Facts = dict[str, str]


@dataclass(frozen=True)
class Array(Member):
    """The array that a device is a member of: an md array, or an array of a controller whose format mdadm reads."""

    def probes(self) -> tuple[str, ...]:
        """The probes: the member's superblock, the arrays of all devices, and all devices with their UUIDs."""
        return f"n={shlex.quote(self.node)}\n{_SUPERBLOCK}", _ARRAYS, tag.PROBE

    def parse(self, *outputs: Output) -> Layer:
        """The array. Unreadable data raises no error: ``unseen`` says what is unknown."""
        superblock, arrays, listed = outputs
        alike = tuple(relatives(listed.text, self.kind, self.uuid, self.node))
        if superblock.status == 127:
            return Layer(others=alike, unseen="the array is unknown: mdadm is not installed")
        facts = _facts(superblock.text)
        if superblock.status or "MD_LEVEL" not in facts:
            why = f"the array is unknown; `mdadm --examine {self.node}` shows why"
            return Layer(others=alike, unseen=why)
        nodes = set(_devices(arrays.text, facts.get("MD_UUID", ""))) - {self.node}
        others = tuple(devices_in_words(listed.text, nodes)) if nodes else alike
        count = _number(facts.get("MD_DEVICES", ""))
        return Layer(_named(facts), tuple(_parts(facts, superblock.text, self.node)), others, absent(count, others))


def _facts(text: str) -> Facts:
    """The lines ``KEY=value`` of ``--export``, and the lines ``Key : value`` of the output without ``--export``."""
    lines = (re.fullmatch(r"\s*([^=:]+?)\s*[=:]\s*(.*)", line) for line in text.split("\n"))
    return {found[1]: found[2] for found in lines if found}


def _devices(text: str, uuid: str) -> Iterator[str]:
    """The devices of the array with this UUID, from ``--examine --scan --verbose``."""
    for array in re.split(r"^ARRAY ", text, flags=re.MULTILINE):
        words = array.split()
        if uuid and f"UUID={uuid}" in words:
            yield from (node for word in words if word.startswith("devices=") for node in word[8:].split(","))


def _is_container(facts: Facts) -> bool:
    return facts["MD_LEVEL"] == "container"


def _named(facts: Facts) -> str:
    kind = f"{facts.get('MD_METADATA', '')} container" if _is_container(facts) else f"{facts['MD_LEVEL']} array"
    name, count = facts.get("MD_NAME", ""), facts.get("MD_DEVICES", "")
    return f"{kind}{f' {name!r}' if name else ''}{f' of {count} devices' if count else ''}"


def _parts(facts: Facts, text: str, node: str) -> Iterator[Part]:
    if _is_container(facts):
        yield from (Part(repr(name)) for name in re.findall(r"^\[(.+)\]:$", text, re.MULTILINE))
        return
    yield Part(size=_number(facts.get("Array Size", "")) * 1024, place=_place(facts, node))


def _place(facts: Facts, node: str) -> Place | None:
    """Where the first bytes of the array are on this member; None if they are not, or if the place is unknown.

    Every member of a mirror has them; in any other array, only the first member.
    """
    size = _number(facts.get("Avail Dev Size", "")) * 512 or _number(facts.get("Array Size", "")) * 1024
    if not size or (facts["MD_LEVEL"] != "raid1" and facts.get("Device Role") != "Active device 0"):
        return None
    start = _number(facts.get("Data Offset", "")) * 512
    return node, start, start + size


def _number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


_SUPERBLOCK = r"""
command -v mdadm >/dev/null || exit 127
timeout -k 1 10 mdadm --examine --export "$n" 2>/dev/null || exit 1
timeout -k 1 10 mdadm --examine "$n" 2>/dev/null
exit 0
"""

# All devices are searched, whatever mdadm.conf lists.
_ARRAYS = rf"""
{BOUNDED}
bounded 20 mdadm --examine --scan --verbose --config=partitions
printf '%s\n' "$answer"
"""
