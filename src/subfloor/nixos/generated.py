"""Generated files carry a checksum, which shows whether one was edited."""

from __future__ import annotations

import difflib
import hashlib

_MARK = "# subfloor sha256="
_NOTE = " of what follows. This file is generated: put your own settings into local.nix."


def marked(text: str) -> bytes:
    """The text, below a line with its checksum."""
    return f"{_MARK}{hashlib.sha256(text.encode()).hexdigest()}{_NOTE}\n{text}".encode()


def has_text(content: bytes, text: str) -> bool:
    """Whether a generated file has this text, whatever its checksum says."""
    first, _, rest = content.partition(b"\n")
    return first.startswith(_MARK.encode()) and rest == text.encode()


def is_intact(content: bytes) -> bool:
    """Whether a file was generated and not edited since."""
    first, _, rest = content.partition(b"\n")
    return first.startswith(f"{_MARK}{hashlib.sha256(rest).hexdigest()}".encode())


def difference(there: bytes, wanted: bytes, path: str) -> str:
    """The difference, as a unified diff."""
    old, new = (text.decode("utf-8", "replace").splitlines() for text in (there, wanted))
    return "\n".join(difflib.unified_diff(old, new, f"{path} as it is", f"{path} as generated", lineterm=""))
