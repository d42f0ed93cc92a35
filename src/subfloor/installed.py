"""What a play's tasks tell the installed system: the one source that a configuration is made from.

A layout and a configuration that disagree must be impossible. So tasks that mount or swap say what
the installed system has to mount and swap, and a task that writes a configuration asks them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileSystem:
    """A filesystem that the installed system mounts; ``path`` as seen now, under the install root.

    ``device`` is what to mount: a stable name (``/dev/disk/by-…``), ``tmpfs``, or for a bind
    (``bind`` true) the path of its source, as seen now.
    """

    path: str
    device: str
    type: str
    options: tuple[str, ...] = ()
    needed_for_boot: bool = False
    bind: bool = False


@dataclass(frozen=True)
class SwapDevice:
    """A swap area that the installed system activates. ``priority`` None: the kernel chooses."""

    device: str
    priority: int | None = None
    discard: str | None = None


Contribution = FileSystem | SwapDevice
