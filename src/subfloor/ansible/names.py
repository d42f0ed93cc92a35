"""The names of the collection: its own, those of its tasks, and those of its variables."""

from __future__ import annotations

COLLECTION = "subfloor.core"
PLAY = "play"
"""The name of the task that runs a whole play, and of the action plugin, which runs all tasks of the collection."""

DESTROY, SEED = "subfloor_destroy", "subfloor_seed"
"""The extra variable that gives consent, and the variable with the seed of a task that stands alone."""


def module_of(key: str) -> str:
    """The name of a task in Ansible, where names have no hyphens."""
    return key.replace("-", "_")


def key_of(action: str) -> str:
    """The key of a task in subfloor, from the name of the task in Ansible, with or without its collection."""
    return action.rpartition(".")[2].replace("_", "-")


def full(key: str) -> str:
    """The full name of a task in Ansible."""
    return f"{COLLECTION}.{module_of(key)}"
