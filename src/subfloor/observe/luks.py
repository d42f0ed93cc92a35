"""The header of a LUKS container: its key slots, and the flags for opening it.

Only data that needs no key is read: a look opens no container.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Subject
from subfloor.observe.device_names import node_probe

ALLOW_DISCARDS = "allow-discards"
"""The flag in a header that makes an open container pass discards to the disk (cryptsetup(8), --persistent)."""


@dataclass(frozen=True)
class Header:
    """``version``: 1 or 2; ``slots``: the numbers of the key slots that hold a key; ``flags``: in cryptsetup's words.

    ``offset``: where the data begins, in bytes, if the data reaches to the end of the volume, whatever the volume's
    size; otherwise None. For version 1, only the version is known.
    """

    WORDS: ClassVar[Mapping[str, str]] = {"slots": "key slots"}

    version: int = 2
    slots: frozenset[int] = frozenset()
    flags: frozenset[str] = frozenset()
    offset: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        slots = ", ".join(map(str, sorted(self.slots))) or "none"
        return f"LUKS{self.version}, key slots {slots}" + "".join(f", {flag}" for flag in sorted(self.flags))


@dataclass(frozen=True)
class LuksHeader(Subject[Header | None]):
    """The LUKS header on a device; None if there is none. ``device``: the path in the play."""

    device: str

    def __str__(self) -> str:
        return f"LUKS header of {self.device}"

    def probes(self) -> tuple[str, ...]:
        """One probe, which starts cryptsetup only if the device begins as a LUKS2 container does."""
        return (f"{node_probe(self.device)}\n{_PROBE}",)

    def parse(self, *outputs: Output) -> Header | None:
        """The header; None if there is none. Raises ``LookFailed`` if the header cannot be read."""
        (output,) = outputs
        version, _, dump = output.text.partition("\n")
        if output.status == 127:
            raise LookFailed(
                f"{self.device} holds a LUKS container, and cryptsetup is missing", advice="install cryptsetup"
            )
        if output.status:
            raise LookFailed(
                f"the LUKS header of {self.device} cannot be read",
                advice=f"run it yourself to see why: cryptsetup luksDump {shlex.quote(self.device)}",
            )
        if not version:
            return None
        return _header(json.loads(dump)) if version == "0002" else Header(int(version, 16))


def _header(dump: Mapping[str, Any]) -> Header:
    """The header, from its JSON area (LUKS2 on-disk format, section 3). Raises ``ValueError`` for any other JSON."""
    try:
        flags = dump["config"].get("flags", ())
        slots = frozenset(map(int, dump["keyslots"]))
        return Header(2, slots, frozenset(map(str, flags)), _offset(dump["segments"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"cryptsetup: {error}") from error


def _offset(segments: Mapping[str, Mapping[str, Any]]) -> int | None:
    """Where the data begins, in bytes, if it is one segment that reaches to the end of the volume; otherwise None."""
    (first, *more) = segments.values()
    whole = not more and first["type"] == "crypt" and first["size"] == "dynamic"
    return int(first["offset"]) if whole else None


# The magic is "LUKS" and two bytes more, then comes the version (LUKS2 on-disk format, section 2.1).
_PROBE = r"""
[ -b "$node" ] || exit 0
start=$(od -A n -v -t x1 -N 8 -- "$node" | tr -d ' \n') || exit
case $start in 4c554b53babe*) version=${start#4c554b53babe};; *) exit 0;; esac
echo "$version"
[ "$version" = 0002 ] || exit 0
command -v cryptsetup >/dev/null || exit 127
cryptsetup luksDump --dump-json-metadata -- "$node"
"""
