"""Swap files: a regular file as a swap area, and the place of its first page on the device."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Unknown
from subfloor.observe.path import Absent, Located, NotYetVisible
from subfloor.storage import sizes


@dataclass(frozen=True)
class SwapInFileState:
    """A regular file as a swap area.

    ``size``: such as ``8GiB``. ``holes``: fewer blocks are allocated than the length of the file needs. ``copied``: the
    file is copy-on-write on btrfs, so the kernel does not swap to it. ``content``: the type that blkid(8) reports, such
    as ``swap``, or ``swsuspend`` for the image of a hibernated system. ``uuid``: the area's UUID. ``priority``: None if
    the kernel chooses it.
    """

    WORDS: ClassVar[Mapping[str, str]] = {"copied": "copy-on-write", "uuid": "UUID"}

    size: str
    holes: bool = False
    copied: bool = False
    content: str = ""
    uuid: str = ""
    active: bool = False
    priority: int | None = None

    def __str__(self) -> str:
        held = f"{self.content} {self.uuid}".strip() or "nothing that blkid knows"
        return f"a file of {self.size} with {held}"


@dataclass(frozen=True)
class SwapInFile(Located[SwapInFileState | Absent | NotYetVisible]):
    """The regular file at a path, as a swap area. Anything else there counts as absent."""

    path: str

    def __str__(self) -> str:
        return f"swap file {self.path}"

    def probes(self) -> tuple[str, ...]:
        """One probe: stat(1), blkid(8), lsattr(1) on a btrfs, and /proc/swaps."""
        return (f"p={shlex.quote(self.path)}\n{_PROBE}",)

    def parse(self, *outputs: Output) -> SwapInFileState | Absent:
        """The swap area, or ``Absent``. Raises ``LookFailed`` if the file cannot be read."""
        (found,) = outputs
        if found.status == _ABSENT:
            return Absent()
        said = dict(line.partition("=")[::2] for line in found.text.splitlines())
        if found.status or not {"size", "blocks", "unit", "end"} <= said.keys():
            raise LookFailed(
                f"the swap file {self.path} cannot be inspected",
                advice="run this as root, check that `blkid` and `lsattr` are installed, and check the filesystem",
            )
        priority = int(said.get("active", "-1"))
        return SwapInFileState(
            size=sizes.show(int(said["size"])),
            holes=int(said["blocks"]) * int(said["unit"]) < int(said["size"]),
            copied="flags" in said and "C" not in said["flags"].split(" ")[0],
            content=said.get("TYPE", ""),
            uuid=said.get("UUID", ""),
            active="active" in said,
            priority=priority if priority >= 0 else None,
        )

    def in_empty(self) -> SwapInFileState | Absent:
        """``Absent``: an empty filesystem has no file."""
        return Absent()


_ABSENT = 3

# The kernel lists the path by which a swap file was activated, with octal escapes. This path may differ from $p, so -ef
# compares the files.
_PROBE = rf"""
[ -f "$p" ] && [ ! -L "$p" ] || exit {_ABSENT}
stat -c 'size=%s
blocks=%b
unit=%B' -- "$p" && type=$(stat -f -c %T -- "$p") || exit 1
if [ "$type" = btrfs ]; then flags=$(lsattr -- "$p") && printf 'flags=%s\n' "$flags" || exit 1; fi
blkid -p -o export -- "$p"
case $? in 0 | 2) ;; 8) printf 'TYPE=ambiguous\n' ;; *) exit 1 ;; esac
if [ -e /proc/swaps ]; then
    while read -r name kind _ _ priority; do
        if [ "$kind" = file ] && [ "$p" -ef "$(printf '%b' "$name")" ]; then printf 'active=%s\n' "$priority"; fi
    done < /proc/swaps || exit 1
fi
printf 'end=\n'
"""


@dataclass(frozen=True)
class Offset:
    """A number of pages of memory."""

    pages: int

    def __str__(self) -> str:
        return f"{self.pages} pages"


OffsetState = Offset | Absent | NotYetVisible | Unknown


@dataclass(frozen=True)
class ResumeOffset(Located[OffsetState]):
    """Where a swap file begins on its device, in pages: the kernel's ``resume_offset``.

    Source: Documentation/power/swsusp-and-swap-files.rst. ``Absent`` if there is no file, or if its first page is not
    one whole page of the device: a filesystem with small blocks may split the page.
    """

    path: str

    def __str__(self) -> str:
        return f"place of {self.path} on its device"

    def probes(self) -> tuple[str, ...]:
        """One probe: btrfs(8) on a btrfs, otherwise filefrag(8)."""
        return (f"p={shlex.quote(self.path)}\n{_OFFSET}",)

    def parse(self, *outputs: Output) -> OffsetState:
        """The offset, or ``Absent``."""
        (found,) = outputs
        if found.status:
            return Absent()
        if number := re.fullmatch(r"btrfs (\d+)\n", found.text):
            return Offset(int(number[1]))
        page = re.match(r"page (\d+)\n", found.text)
        extent = re.search(r"^ *0: +0\.\. *\d+: +(\d+)\.\. *\d+: +(\d+):", found.text, re.MULTILINE)
        if not page or not extent:
            return Absent()
        start, length, size = int(extent[1]) * _UNIT, int(extent[2]) * _UNIT, int(page[1])
        return Offset(start // size) if start % size == 0 and length >= size else Absent()

    def in_empty(self) -> OffsetState:
        """``Absent``: an empty filesystem has no file."""
        return Absent()


_UNIT = 512
"""The unit in which filefrag(8) counts here, in bytes."""

_OFFSET = f"""
[ -f "$p" ] && type=$(stat -f -c %T -- "$p") || exit
case $type in
    btrfs) pages=$(btrfs inspect-internal map-swapfile -r "$p") && printf 'btrfs %s\\n' "$pages" ;;
    *) size=$(getconf PAGESIZE) && printf 'page %s\\n' "$size" && filefrag -v -b{_UNIT} -- "$p" ;;
esac
"""
