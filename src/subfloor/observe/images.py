"""The images of an active logical volume of a RAID type: whether the kernel lost some, and whether all are in sync.

Source: Documentation/admin-guide/device-mapper/dm-raid.rst, "Status Output". A look activates nothing.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import ClassVar

from subfloor.core.machine import Output, Subject


@dataclass(frozen=True)
class Images:
    """``failed``: how many of the ``count`` images the kernel lost; ``syncing``: another image is not in sync yet."""

    WORDS: ClassVar[dict[str, str]] = {"failed": "failed images"}

    count: int
    failed: int = 0
    syncing: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.count} images" + (f", {self.failed} failed" if self.failed else "")


@dataclass(frozen=True)
class ImagesOf(Subject[Images | None]):
    """The images of the mapped device at this path; None if the device is not active, or of no RAID type."""

    path: str

    def __str__(self) -> str:
        return f"images of {self.path}"

    def probes(self) -> tuple[str, ...]:
        """One probe: dmsetup(8) asks the kernel."""
        path = shlex.quote(self.path)
        return (f"[ ! -b {path} ] || timeout -k 1 10 dmsetup status --target raid {path}",)

    def parse(self, *outputs: Output) -> Images | None:
        """The images, or None. Raises ``ValueError`` if the output does not have dmsetup's form."""
        words = outputs[0].text.split()
        if outputs[0].status or "raid" not in words:
            return None
        _, _, _, _, count, health, *_ = words[words.index("raid") - 2 :]
        return Images(int(count), health.count("D"), "a" in health)
