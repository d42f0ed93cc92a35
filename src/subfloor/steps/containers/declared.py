"""A LUKS container as a play declares it: its name, its keys, and how it is made."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.errors import Refused
from subfloor.core.secret import Secret
from subfloor.observe.disk import Disk
from subfloor.observe.luks import LuksHeader
from subfloor.steps.volumes import luks
from subfloor.storage.marks import UNFINISHED, final

PASSPHRASE_SLOT = 0
"""The key slot of the passphrase: the first one, which is tried first."""

FILE_SLOT = 24
"""The key slot of the key file. A person who adds a key without naming a slot gets the lowest free one."""


@dataclass(frozen=True)
class Key:
    """A key as cryptsetup gets it: its slot, and a passphrase or the path of a key file."""

    slot: int
    passphrase: Secret | None = None
    file: str = ""

    @property
    def words(self) -> tuple[str, str]:
        """The option that tells cryptsetup where the key is: in a file, or on standard input."""
        return ("--key-file", self.file or "-")

    @property
    def stdin(self) -> bytes:
        """The standard input of cryptsetup: the passphrase; empty for a key file."""
        return self.passphrase.bytes if self.passphrase else b""

    def __str__(self) -> str:
        return f"the key file {self.file}" if self.file else "the passphrase"


@dataclass(frozen=True)
class Container:
    """``device``: the volume that holds the container, as the play names it; ``name``: the container's name when open;
    ``label``: its final label. ``keys``: the keys that were given. The passphrase is the first, since a key file may
    lie inside the container. ``options`` and ``derivation``: options of cryptsetup, for the data and for the key slot
    of a passphrase. ``discards``: discards are passed to the disk. ``raw``: no task of the play fills the container, so
    its label is final from the start.
    """

    device: str
    name: str
    label: str
    keys: tuple[Key, ...] = ()
    options: tuple[str, ...] = ()
    derivation: tuple[str, ...] = ()
    discards: bool = False
    raw: bool = False

    @property
    def header(self) -> LuksHeader:
        """The subject for its header."""
        return LuksHeader(self.device)

    @property
    def inside(self) -> Disk:
        """The subject for its content."""
        return Disk(luks.node_of(self.name))

    @property
    def first_label(self) -> str:
        """The label of a new container: it ends in the mark of unfinished content, unless the container is raw."""
        return self.label if self.raw else self.label + UNFINISHED

    def keys_for(self, purpose: str) -> tuple[Key, ...]:
        """The keys that were given. Raises ``Refused`` if none was given; ``purpose``: what one is needed for."""
        if not self.keys:
            raise Refused(
                f"a passphrase is needed {purpose} on {self.device}",
                advice="name a variable as the task's `passphrase`, and enter its value with --ask-passphrase VARIABLE",
            )
        return self.keys


def check_label(label: str) -> None:
    """Raise ``ValueError`` for a label that a container cannot have.

    The header has room for 48 bytes, the last one a zero (LUKS2 on-disk format, section 2.1).
    """
    longest = 47 - len(UNFINISHED)
    if len(label.encode()) > longest:
        raise ValueError(f"{label!r} is too long for a LUKS container: {longest} bytes at most")
    if label.startswith("-") or label != final(label) or not label.isprintable():
        raise ValueError(f"{label!r} begins with a hyphen, ends like an unfinished label, or is not printable")


def is_typed(passphrase: Secret) -> bool:
    """Whether a person can type this passphrase: it is not empty and has no line break."""
    text = passphrase.reveal()
    return bool(text) and "\n" not in text
