"""What a device is a part of: a volume group, an array, a filesystem over several devices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from subfloor.observe.tag import devices
from subfloor.storage.sizes import rounded

Place = tuple[str, int, int]
"""A place that begins with some content: the node of its device, its first byte, and the first byte after its end."""


@dataclass(frozen=True)
class Part:
    """A volume that a layer makes available, such as a logical volume; ``size`` in bytes, 0 if unknown.

    ``about``: its kind and its content, in words. ``place``: the place of its first bytes, where they can be read while
    the layer is not active; None if there is no such place, or if it is unknown.
    """

    name: str = ""
    size: int = 0
    about: tuple[str, ...] = ()
    place: Place | None = None

    def __str__(self) -> str:
        size = (rounded(self.size),) if self.size else ()
        about = ", ".join((*size, *self.about))
        return " ".join(filter(None, (self.name, f"({about})" if about else "")))


@dataclass(frozen=True)
class Layer:
    """What a device is a part of. ``name``: in words, such as ``volume group 'pool'``; ``parts``: its volumes.

    ``others``: its other devices, in words; ``absent``: how many of its devices this machine does not have. ``unseen``:
    what is not known about the layer, and why, in words; "" if everything is known.
    """

    name: str = ""
    parts: tuple[Part, ...] = ()
    others: tuple[str, ...] = ()
    absent: int = 0
    unseen: str = ""

    def __str__(self) -> str:
        return "; ".join(self._sentences("its other devices"))

    @property
    def as_loss(self) -> str:
        """The layer in words for a report of losses, which adds that its other devices may lose data too."""
        return "; ".join(self._sentences("its other devices may lose data too"))

    def with_contents(self, found: dict[Place, str]) -> Layer:
        """The layer with the content of each part added. ``found``: contents in words, by place."""
        parts = (replace(each, about=(*each.about, *_at(each.place, found))) for each in self.parts)
        return replace(self, parts=tuple(parts))

    def _sentences(self, other_devices: str) -> Iterator[str]:
        parts = ", ".join(filter(None, map(str, self.parts)))
        between = " with " if any(each.name for each in self.parts) else " "
        if named := between.join(filter(None, (self.name, parts))):
            yield named
        if self.others:
            yield f"{other_devices}: {', '.join(self.others)}"
        if self.absent:
            yield f"{self.absent} of its devices {'is' if self.absent == 1 else 'are'} not present"
        if self.unseen:
            yield self.unseen


def _at(place: Place | None, found: dict[Place, str]) -> Iterator[str]:
    if place in found:
        yield found[place]


def not_named(what: str, program: str) -> Layer:
    """A layer of which nothing is known, because ``program`` is not installed. ``what``: the layer, in words."""
    return Layer(unseen=f"{what} is unknown: {program} is not installed")


def not_understood(what: str, command: str) -> Layer:
    """A layer of which nothing is known, because a program failed. ``what``: the layer, in words.

    ``command``: the command that shows the reason.
    """
    return Layer(unseen=f"{what} is unknown; run `{command}` to see why")


def relatives(listed: str, kind: str, uuid: str, node: str) -> Iterator[str]:
    """The other devices of the machine with content of this type and UUID, in words, from what udev and blkid say.

    ``listed``: the output of ``tag.PROBE``. Devices that do not answer are included, since each may have such content.
    """
    found = {other: about for other, about in dict(devices(listed)).items() if other != node}
    same = {other for other, about in found.items() if uuid and _is(about, kind, uuid)}
    yield from devices_in_words(listed, same)
    silent = {other for other, about in found.items() if "silent" in about}
    yield from (f"{each}, which cannot be read, and may be one" for each in devices_in_words(listed, silent))


def _is(about: dict[str, str], kind: str, uuid: str) -> bool:
    return (about.get("ID_FS_TYPE"), about.get("ID_FS_UUID", "").lower()) == (kind, uuid)


def devices_in_words(listed: str, nodes: Collection[str]) -> Iterator[str]:
    """Each device with its size, in words. ``listed``: the output of ``tag.PROBE``."""
    sizes = {node: int(about.get("size", 0)) * 512 for node, about in dict(devices(listed)).items()}
    yield from (f"{node} ({rounded(sizes[node])})" if sizes.get(node) else node for node in sorted(nodes))


def absent(expected: int, others: Iterable[str]) -> int:
    """How many of the ``expected`` devices are not present. ``others``: those that are, without this device."""
    return max(0, expected - 1 - len(tuple(others)))
