"""LUKS containers: the commands that make and open them, and what is seen of them afterwards. Pure.

A key goes to a program by its standard input, or is read by it from a file; never by an argument, an environment or a
temporary file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from subfloor.core.errors import Refused
from subfloor.core.secret import Secret
from subfloor.core.task import Command
from subfloor.observe.disk import DiskState, Mapped
from subfloor.steps.volumes import Volume, mapping
from subfloor.storage.sizes import MIB

PASSPHRASE_SLOT = 0
"""The key slot of the passphrase: the first one, which is tried first."""

FILE_SLOT = 24
"""The key slot of the key file. A person who adds a key without naming a slot gets the lowest that is free."""

DATA_OFFSET = 16 * MIB
"""Bytes of a container before its data: cryptsetup's default for LUKS2, given explicitly so that sizes are known."""

_KEY = "--key-file"

# A key file has as much entropy as the key that it protects, so nothing is gained by making guesses slow.
_FAST = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


@dataclass(frozen=True)
class Key:
    """A key as cryptsetup is given it: a passphrase, or the path of a file; and the slot that it belongs in."""

    slot: int
    passphrase: Secret | None = None
    file: str = ""

    @property
    def words(self) -> tuple[str, str]:
        """The option that names the key."""
        return (_KEY, self.file or "-")

    @property
    def stdin(self) -> bytes:
        """What cryptsetup reads the key from."""
        return self.passphrase.reveal().encode("utf-8", "surrogateescape") if self.passphrase else b""

    def __str__(self) -> str:
        return f"the key file {self.file}" if self.file else "the passphrase"


def format_(volume: Volume, label: str, first: Key, options: Iterable[str]) -> Command:
    """A command that makes a container with one key."""
    how = ("--type", "luks2", "--uuid", str(volume.identity.filesystem(volume.uuid)), "--label", label)
    places = ("--offset", str(DATA_OFFSET // 512), "--key-slot", str(first.slot), *first.words)
    fast = _FAST if first.file else ()
    return Command(
        ("cryptsetup", "luksFormat", "--batch-mode", *how, *places, *fast, *options, "--", volume.node),
        first.stdin,
        advice="see what it says; with `pbkdf_memory` the key derivation needs less memory",
    )


def add(node: str, known: Key, new: Key, options: Iterable[str]) -> Command:
    """A command that adds a key, with one that the container has."""
    if new.file:
        how: tuple[str, ...] = _FAST
        stdin = known.stdin
    else:  # the existing key is a file, so standard input is free for the new one
        how, stdin = tuple(options), new.stdin
    argv = ("cryptsetup", "luksAddKey", "--batch-mode", "--key-slot", str(new.slot), *how, *known.words)
    return Command((*argv, "--", node, new.file or "-"), stdin, advice=_WRONG_KEY.format(known))


def remove(node: str, known: Key, slot: int) -> Command:
    """A command that removes the key of a slot, and needs another key for that."""
    argv = ("cryptsetup", "luksKillSlot", *known.words, "--", node, str(slot))
    return Command(argv, known.stdin, advice=_WRONG_KEY.format(known))


def try_(node: str, key: Key) -> Command:
    """A command that fails where the key does not open the slot that it belongs in; it opens nothing."""
    argv = ("cryptsetup", "open", "--test-passphrase", "--type", "luks2", "--key-slot", str(key.slot), *key.words)
    return Command((*argv, "--", node), key.stdin, advice=_WRONG_KEY.format(key))


def open_(node: str, name: str, key: Key, *, discards: bool) -> Command:
    """A command that opens a container under a name; ``discards``: every later opening passes on what is free, too."""
    allow = ("--allow-discards", "--persistent") if discards else ()
    argv = ("cryptsetup", "open", "--type", "luks2", *allow, *key.words, "--", node, name)
    return Command(argv, key.stdin, advice=_WRONG_KEY.format(key))


def refresh(name: str, key: Key, *, discards: bool) -> Command:
    """A command that changes whether an open container, and every later opening, passes on what is free."""
    allow = ("--allow-discards",) if discards else ()
    argv = ("cryptsetup", "refresh", *allow, "--persistent", *key.words, "--", name)
    return Command(argv, key.stdin, advice=_WRONG_KEY.format(key))


_WRONG_KEY = (
    "a status of 2 means that {} does not open it: give the right one, or add it with `cryptsetup luksAddKey`; "
    "`cryptsetup luksDump` lists the key slots"
)


def opened(volume: Volume, name: str) -> DiskState:
    """What is seen of a container that was just made, once it is open: nothing is in it."""
    uuid = volume.identity.filesystem(volume.uuid)
    mapped = Mapped(mapping.dm_uuid(uuid, name), (volume.node,))
    return DiskState(node=mapping.node_of(name), size=volume.size - DATA_OFFSET, mapped=mapped)


def check_room(volume: Volume) -> None:
    """Raise ``Refused`` where a volume has no room for a container with anything in it."""
    if volume.size <= DATA_OFFSET + MIB:
        raise Refused(
            f"{volume.path} is too small for a LUKS container, whose header takes {DATA_OFFSET // MIB}MiB",
            advice="give the partition more `size`",
        )
