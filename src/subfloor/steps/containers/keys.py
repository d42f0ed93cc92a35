"""Steps that add and revoke keys of a container. They never touch its content, and keep the last working key. Pure."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Command, Step
from subfloor.observe.luks import Header
from subfloor.steps.containers import commands
from subfloor.steps.containers.declared import FILE_SLOT, Container
from subfloor.steps.volumes import Volume


def keyed(volume: Volume, declared: Container, *, key_file: bool) -> Step | None:
    """A step that adds a missing key, or revokes the key file; None if the keys are in sync. Raises ``Refused``.

    ``key_file``: the play declares a key file.
    """
    header = volume.machine[declared.header]
    if not isinstance(header, Header) or header.version != 2:
        return None
    if missing := sorted({key.slot for key in declared.keys} - header.slots):
        return _add(volume, declared, header, missing[0])
    if not key_file and FILE_SLOT in header.slots and len(header.slots) > 1:
        return _revoke(volume, declared, header)
    return None


def _add(volume: Volume, declared: Container, header: Header, slot: int) -> Step:
    known = [key for key in declared.keys if key.slot in header.slots]
    new = next(key for key in declared.keys if key.slot == slot)
    if not known:
        raise Refused(
            f"{declared.device} has no key slot {slot}, and {new} can be added only with a key that "
            "the container already has",
            advice=f"give the other key too, or add this one: `cryptsetup luksAddKey --key-slot {slot} {volume.node}`",
        )
    adding = (commands.add(volume.node, known[0], new, declared.derivation), commands.try_(volume.node, new))
    return _step(volume, declared, f"Add {new} to the container on {declared.device}", adding, header.slots | {slot})


def _revoke(volume: Volume, declared: Container, header: Header) -> Step:
    """A step that tries another key, and then revokes the key file."""
    (known, *_) = declared.keys_for("to revoke the key file")
    revoking = (commands.try_(volume.node, known), commands.remove(volume.node, known, FILE_SLOT))
    says = f"Revoke the key file of the container on {declared.device}"
    return _step(volume, declared, says, revoking, header.slots - {FILE_SLOT})


def _step(volume: Volume, declared: Container, says: str, changing: tuple[Command, ...], slots: frozenset[int]) -> Step:
    header = volume.machine[declared.header]
    assert isinstance(header, Header)
    after = volume.machine.with_(declared.header, replace(header, slots=slots))
    return Step(says, (*changing, Command(("sync", volume.node))), after, locks=volume.locks)
