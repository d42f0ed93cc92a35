"""Filesystems that are not mounted, read where only one look sees their mounts: nothing is written, nothing stays."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject
from subfloor.observe.private_mounts import OPENING, PLACING


@dataclass(frozen=True)
class Unmounted:
    """A filesystem that exists: its node, its type, and the UUID by which it is known as ours.

    ``uuid`` empty: it is not known as ours. Then it is only read where it is mounted already, since a filesystem of
    unknown origin may be made to attack the kernel that mounts it.
    """

    node: str
    type: str
    uuid: str = ""


@dataclass(frozen=True)
class Place:
    """A path at which ``root``, a path inside ``filesystem``, is shown; None: an empty filesystem, in memory."""

    path: str
    filesystem: Unmounted | None = None
    root: str = "/"


@dataclass(frozen=True)
class Shown:
    """What a look got to see: by path, why a place is not shown; by node, what to know of a filesystem's content."""

    missing: Mapping[str, str]
    notes: Mapping[str, str]


@dataclass(frozen=True)
class PrivateView(Subject[Shown]):
    """The machine as it is with these places mounted, the upper ones first.

    The mounts are made in a mount namespace that ends with the look, or with the connection. Nothing in it is seen from
    outside; what is unmounted outside is unmounted in it too, so it keeps nothing in use. The kernel writes to a
    filesystem that is mounted read-only: it records errors of an ext4, and removes its orphans, even with ``noload``.
    So a filesystem is mounted from a loop device that is read-only, which lets no write through; only a btrfs,
    whose devices the kernel identifies by their content, is mounted from its own. Other programs' locks are respected:
    of the disks, and of a run of subfloor that mounts. The loop device is locked too, so that udev makes no link to it.
    """

    places: tuple[Place, ...]
    patience = 120.0  # seconds: a large btrfs takes its time

    def __str__(self) -> str:
        return f"the inside of {', '.join(each.node for each in self.filesystems)}"

    @property
    def filesystems(self) -> tuple[Unmounted, ...]:
        """Each filesystem once."""
        return tuple(dict.fromkeys(each.filesystem for each in self.places if each.filesystem))

    def probes(self) -> tuple[str, ...]:
        """The piece that mounts the places; it belongs into the script that ``around`` surrounds."""
        numbers = {each: number for number, each in enumerate(self.filesystems, 1)}
        lines = (
            f"place {number} {shlex.quote(each.path)} {numbers.get(each.filesystem, 0) if each.filesystem else 0} "
            f"{shlex.quote(each.root)} </dev/null"
            for number, each in enumerate(self.places)
        )
        return ("\n".join((PLACING, *lines)),)

    def around(self, text: str) -> str:
        """The sh that runs a script where the filesystems can be mounted.

        The script comes by standard input, since an argument may be too short for it. If the script could not
        start, the output is the reason.
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
        """What is shown if the namespace could not be made: nothing. ``said``: the reason that a program printed."""
        why = next((line.strip() for line in reversed(said.split("\n")) if line.strip()), "unshare failed")
        return Shown({each.path: why for each in self.places}, {})

    def parse(self, *outputs: Output) -> Shown:
        """What is shown."""
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
