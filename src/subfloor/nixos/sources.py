"""The files of a configuration as they are or will be, and the digest that identifies them."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable, Mapping

from subfloor.core.machine import Machine, Unknown
from subfloor.observe.nixos import Configuration
from subfloor.observe.path import LONGEST, Text, TextFile, seen

SELF_CHECK = "subfloor"
"""The subdirectory of a configuration that holds what its system needs to check itself."""

Files = Mapping[str, str] | Unknown
"""The SHA-256 of each file, by its name in the configuration's directory."""

Digest = str | Unknown
"""The SHA-256 of a whole configuration."""


def files(machine: Machine, directory: str, written: Iterable[str]) -> Files:
    """The files in a directory; ``Unknown`` if a step has yet to write one. Raises ``NotVisible``.

    ``written``: paths that other tasks of the play write.
    """
    sources = seen(machine, Configuration(directory))
    if isinstance(sources, Unknown):
        return sources
    found = {name: digest for name, digest in sources.files if _counts(name)}
    for path in written:
        if not _counts(posixpath.relpath(path, directory)):
            continue
        content = seen(machine, TextFile(path))
        if isinstance(content, Unknown):
            return content
        if isinstance(content, Text) and len(content.content) < LONGEST:
            found[posixpath.relpath(path, directory)] = hashlib.sha256(content.content).hexdigest()
    return found


def _counts(name: str) -> bool:
    """Whether a system depends on this file. Of the files for its self-check, it depends only on the Nix files."""
    return not name.startswith(f"{SELF_CHECK}/") or name.endswith(".nix")


def digest(files: Files, flake: str) -> Digest:
    """The digest of all names and contents, and of ``flake``, which names a configuration in a flake."""
    if isinstance(files, Unknown):
        return files
    listed = json.dumps([flake, sorted(files.items())])
    return hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()


def is_made_from(recorded: Digest, digest: Digest) -> bool:
    """Whether a system was built from this configuration. A system that a check imagines counts as built from it."""
    return isinstance(recorded, Unknown) or recorded == digest
