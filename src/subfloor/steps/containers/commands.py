"""The commands that make, open and change LUKS containers. Pure.

A program gets a key on its standard input, or reads the user's key file. No key is in an argument, in the environment
or in a temporary file.
"""

from __future__ import annotations

from collections.abc import Iterable

from subfloor.core.task import Command
from subfloor.steps.containers.declared import Key
from subfloor.steps.volumes import Volume
from subfloor.storage.sizes import MIB

DATA_OFFSET = 16 * MIB
"""Bytes of a container before its data: cryptsetup's default for LUKS2, given explicitly so that sizes are known."""

# A key file has as much entropy as the key that it protects, so nothing is gained by making guesses slow.
_FAST = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


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
    """A command that adds the key ``new``. ``known``: a key that the container already has, which cryptsetup needs."""
    if new.file:
        how: tuple[str, ...] = _FAST
        stdin = known.stdin
    else:  # the existing key is a file, so standard input is free for the new one
        how, stdin = tuple(options), new.stdin
    argv = ("cryptsetup", "luksAddKey", "--batch-mode", "--key-slot", str(new.slot), *how, *known.words)
    return Command((*argv, "--", node, new.file or "-"), stdin, advice=_WRONG_KEY.format(known))


def remove(node: str, known: Key, slot: int) -> Command:
    """A command that removes the key in ``slot``. ``known``: another key of the container, which cryptsetup needs."""
    argv = ("cryptsetup", "luksKillSlot", *known.words, "--", node, str(slot))
    return Command(argv, known.stdin, advice=_WRONG_KEY.format(known))


def try_(node: str, key: Key) -> Command:
    """A command that fails if the key does not open its key slot. The command does not open the container."""
    argv = ("cryptsetup", "open", "--test-passphrase", "--type", "luks2", "--key-slot", str(key.slot), *key.words)
    return Command((*argv, "--", node), key.stdin, advice=_WRONG_KEY.format(key))


def open_(node: str, name: str, key: Key, *, discards: bool) -> Command:
    """A command that opens a container under a name. ``discards``: it passes discards to the disk, now and later."""
    allow = ("--allow-discards", "--persistent") if discards else ()
    argv = ("cryptsetup", "open", "--type", "luks2", *allow, *key.words, "--", node, name)
    return Command(argv, key.stdin, advice=_WRONG_KEY.format(key))


def refresh(name: str, key: Key, *, discards: bool) -> Command:
    """A command that sets whether an open container passes discards to the disk, now and when it is opened later."""
    allow = ("--allow-discards",) if discards else ()
    argv = ("cryptsetup", "refresh", *allow, "--persistent", *key.words, "--", name)
    return Command(argv, key.stdin, advice=_WRONG_KEY.format(key))


def resize(name: str, key: Key) -> Command:
    """A command that lets an open container take all of its volume.

    cryptsetup needs a key for this, since the kernel may not reveal the key of the open container.
    """
    argv = ("cryptsetup", "resize", *key.words, "--", name)
    return Command(argv, key.stdin, advice=_WRONG_KEY.format(key))


_WRONG_KEY = (
    "exit status 2 means that {} does not open the container: give a key that does, or add this key with "
    "`cryptsetup luksAddKey`; `cryptsetup luksDump` lists the key slots"
)
