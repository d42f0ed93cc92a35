"""LUKS containers: the declaration of one in a play, and the steps that make, open and change it."""

from subfloor.steps.containers.declared import FILE_SLOT, PASSPHRASE_SLOT, Container, Key, check_label, is_typed
from subfloor.steps.containers.keys import keyed
from subfloor.steps.containers.making import check_room, is_ours, labelled, make
from subfloor.steps.containers.opening import opened

__all__ = [
    "FILE_SLOT",
    "PASSPHRASE_SLOT",
    "Container",
    "Key",
    "check_label",
    "check_room",
    "is_ours",
    "is_typed",
    "keyed",
    "labelled",
    "make",
    "opened",
]
