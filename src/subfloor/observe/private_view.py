"""Filesystems that are not mounted, read through mounts that only one look sees: nothing is written, no mount stays."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject
from subfloor.observe.private_mounts import OPENING, PLACING


@dataclass(frozen=True)
class Unmounted:
    """An existing filesystem: its node, its type, and the UUID that shows that it is ours.

    ``uuid`` is empty if the filesystem is not known as ours. Then it is not mounted for a look, but read where it is
    mounted already: a filesystem of unknown origin may be made to attack the kernel that mounts it.
    """

    node: str
    type: str
    uuid: str = ""


@dataclass(frozen=True)
class Place:
    """A path at which ``root``, a path inside ``filesystem``, is shown.

    ``filesystem`` None: the path shows an empty filesystem in memory.
    """

    path: str
    filesystem: Unmounted | None = None
    root: str = "/"


@dataclass(frozen=True)
class Shown:
    """``missing``: why a place is not shown, by path; ``notes``: what a person should know of a content, by node."""

    missing: Mapping[str, str]
    notes: Mapping[str, str]


@dataclass(frozen=True)
class PrivateView(Subject[Shown]):
    """The machine as it is with these places mounted, in their order: upper paths first.

    The mounts are made in a mount namespace that ends with the look, or with the connection. No process outside of it
    sees them, and what is unmounted outside is unmounted in it too, so the namespace keeps no filesystem in use. The
    kernel writes even to a filesystem that is mounted read-only: on an ext4 it records errors and removes orphans, even
    with ``noload``. So a filesystem is mounted from a read-only loop device, which lets no write through. Only a btrfs
    is mounted from its own device, because the kernel identifies its devices by their content. Locks of other programs
    are respected: locks of the disks, and the lock of a run of subfloor that mounts. The loop device is locked too, so
    that udev makes no link to it.
    """

    places: tuple[Place, ...]
    patience = 120.0  # seconds: a large btrfs takes its time

    def __str__(self) -> str:
        return f"the inside of {', '.join(each.node for each in self.filesystems)}"

    @property
    def filesystems(self) -> tuple[Unmounted, ...]:
        """The filesystems of all places, each once."""
        return tuple(dict.fromkeys(each.filesystem for each in self.places if each.filesystem))

    def probes(self) -> tuple[str, ...]:
        """One probe, which mounts the places. It works only in the script that ``around`` surrounds."""
        numbers = {each: number for number, each in enumerate(self.filesystems, 1)}
        lines = (
            f"place {number} {shlex.quote(each.path)} {numbers.get(each.filesystem, 0) if each.filesystem else 0} "
            f"{shlex.quote(each.root)} </dev/null"
            for number, each in enumerate(self.places)
        )
        return ("\n".join((PLACING, *lines)),)

    def around(self, text: str) -> str:
        """The sh that runs the script ``text`` in a namespace with the filesystems mounted.

        The script is passed by standard input, since it may be too long for an argument. If the script could not start,
        the output is the reason.
        """
        opened = (
            f"( open_fs {number} {shlex.quote(each.node)} {each.type} {shlex.quote(each.uuid)} </dev/null"
            for number, each in enumerate(self.filesystems, 1)
        )
        closed = (f'umount "$stage/{number}" </dev/null )' for number in range(len(self.filesystems), 0, -1))
        inner = "unshare --mount --propagation slave sh -c 'eval \"$(cat)\"'"
        namespace = "\n".join((OPENING, *opened, inner, *closed))
        return (
            f"printf %s {shlex.quote(text)} |\nunshare --mount --propagation slave sh -c {shlex.quote(namespace)} 2>&1"
        )

    def not_shown(self, said: str) -> Shown:
        """The value if the namespace could not be made: no place is shown. ``said``: the output with the reason."""
        why = next((line.strip() for line in reversed(said.split("\n")) if line.strip()), "unshare failed")
        return Shown({each.path: why for each in self.places}, {})

    def parse(self, *outputs: Output) -> Shown:
        """Which places are not shown, and why; and notes about the content of filesystems."""
        (said,) = outputs
        missing, notes = {}, {}
        for line in said.text.split("\n"):
            kind, _, rest = line.partition(" ")
            number, _, words = rest.partition(" ")
            if kind == "missing" and number.isdigit():
                missing[self.places[int(number)].path] = words
            elif kind == "unopened" and number.isdigit():
                node = self.filesystems[int(number) - 1]
                missing |= {each.path: words for each in self.places if each.filesystem == node}
            elif kind == "note" and number.isdigit():
                notes[self.filesystems[int(number) - 1].node] = words
        return Shown(missing, notes)
