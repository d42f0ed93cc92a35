"""Partitions: the declaration of one in a play, and the steps that make, change and remove it. All of it is pure."""

from subfloor.steps.partitions.declared import (
    Attribute,
    Partition,
    check_name,
    check_play,
    check_uuid,
    is_before,
)
from subfloor.steps.partitions.labelled import LabelledDisk
from subfloor.steps.partitions.making import make
from subfloor.steps.partitions.mending import mend
from subfloor.steps.partitions.removing import replace_

__all__ = [
    "Attribute",
    "LabelledDisk",
    "Partition",
    "check_name",
    "check_play",
    "check_uuid",
    "is_before",
    "make",
    "mend",
    "replace_",
]
