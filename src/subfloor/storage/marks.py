"""Suffixes of a partition's name in the GPT that show its stage, to people and programs alike.

A filesystem's signature does not prove that mkfs finished. The partition's name does: it gets a suffix before
anything is written, and loses it after everything was flushed and checked.
"""

from __future__ import annotations

from subfloor.storage.gpt import NAME_UNITS

UNFINISHED = ".unfinished"
"""The partition's content is not made yet, or only in part: nothing in it is worth keeping."""

LABELLING = ".labelling"
"""The label is being changed: the partition holds the user's data, and its superblock may be torn."""

STAGES = (UNFINISHED, LABELLING)

LONGEST_NAME = NAME_UNITS - max(map(len, STAGES))
"""The longest name of a partition, in UTF-16 code units: it must fit together with each suffix."""


def final(name: str) -> str:
    """The name without a suffix: the name of the finished partition."""
    return next((name.removesuffix(stage) for stage in STAGES if name.endswith(stage)), name)


def is_final(name: str) -> bool:
    """Whether the name has no suffix: the partition is finished."""
    return not name.endswith(STAGES)
