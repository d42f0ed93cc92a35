"""How far a partition has come, as the end of its name in the GPT says it, to people and programs alike.

What a filesystem shows of itself does not say whether the program that wrote it came to its end. The name
does: it gets such an end before anything is written, and loses it when all has been flushed and checked.
"""

from __future__ import annotations

from subfloor.storage.gpt import NAME_UNITS

UNFINISHED = ".unfinished"
"""What it is to hold has not been made yet, or not to the end: nothing of it is worth keeping."""

LABELLING = ".labelling"
"""Its label is being changed: what it holds is somebody's data, and its superblock may be torn."""

STAGES = (UNFINISHED, LABELLING)

LONGEST_NAME = NAME_UNITS - max(map(len, STAGES))
"""How long a partition's name may be, in UTF-16 code units: it must fit with every such end, too."""


def final(name: str) -> str:
    """The name that a partition has, or is to have, once it is finished."""
    return next((name.removesuffix(stage) for stage in STAGES if name.endswith(stage)), name)


def is_final(name: str) -> bool:
    """Whether the name has no such end: the partition is finished."""
    return not name.endswith(STAGES)
