"""The cache set of a bcache device: a cache, and the devices with data that may be in the cache only."""

from __future__ import annotations

import shlex
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from subfloor.core.machine import Output
from subfloor.observe import tag
from subfloor.observe.device_names import NODE
from subfloor.observe.layers.layer import Layer, Part, devices_in_words
from subfloor.observe.layers.member import Member

_CACHES = (0, 3, 5)
"""The versions of the superblock of a cache; all other versions are those of backing devices (bcache.h)."""

_WITH_OFFSET = (4, 6)
"""The versions of the superblock that state where the data of a backing device begins."""


@dataclass(frozen=True)
class Superblock:
    """``set``: the UUID of the set in hexadecimal; ``start``: where a backing device's data begins, in bytes."""

    cache: bool
    set: str
    label: str
    start: int


@dataclass(frozen=True)
class CacheSet(Member):
    """The cache set that a device belongs to, as a cache or as a backing device."""

    def probes(self) -> tuple[str, ...]:
        """The probes: the superblocks of all devices of this type, and the size of every device."""
        return f"n={shlex.quote(self.node)}\n{_PROBE}", tag.PROBE

    def parse(self, *outputs: Output) -> Layer:
        """The cache set. Unreadable data raises no error: ``unseen`` says what is unknown."""
        found = dict(_superblocks(outputs[0].text))
        if self.node not in found:
            return Layer(unseen="the cache set that it belongs to cannot be read")
        mine = found[self.node]
        nodes = {node for node, other in found.items() if other.set == mine.set} - {self.node}
        label = f" {mine.label!r}" if mine.label else ""
        size = _size(outputs[1].text, self.node)
        place = (self.node, mine.start, size) if not mine.cache and mine.start < size else None
        return Layer(
            f"{'cache' if mine.cache else 'backing device'}{label}",
            (Part(place=place),),
            tuple(devices_in_words(outputs[1].text, nodes)),
        )


def _size(listed: str, node: str) -> int:
    """The size of a device in bytes; 0 if it is not listed."""
    return int(dict(tag.devices(listed)).get(node, {}).get("size", 0)) * 512


def _superblocks(text: str) -> Iterator[tuple[str, Superblock]]:
    for line in text.split("\n"):
        node, _, digits = line.partition(" ")
        block = bytes.fromhex(digits)
        if len(block) < 192 or block[24:40].hex() != _MAGIC:
            continue
        (version,), (start,) = struct.unpack_from("<Q", block, 16), struct.unpack_from("<Q", block, 184)
        label = block[72:104].split(b"\0")[0].decode("utf-8", "surrogateescape")
        yield (
            node,
            Superblock(version in _CACHES, block[56:72].hex(), label, (start if version in _WITH_OFFSET else 16) * 512),
        )


_MAGIC = "c68573f64e1a45ca8265f57f48ba6d81"

# The superblock is in the ninth sector (bcache.h: SB_SECTOR). Devices of which udev knows another content are not read.
_PROBE = rf"""
{NODE}
print() {{ echo "$1 $(timeout -k 1 5 od -A n -v -t x1 -j 4096 -N 192 -- "$1" | tr -d ' \n')"; }}
print "$n"
for s in /sys/class/block/*; do
    read -r number < "$s/dev" && [ -r "/run/udev/data/b$number" ] || continue
    node_of "${{s##*/}}"
    [ "$node" != "$n" ] || continue
    while IFS= read -r line; do
        [ "$line" != E:ID_FS_TYPE=bcache ] || print "$node"
    done < "/run/udev/data/b$number"
done
exit 0
"""
