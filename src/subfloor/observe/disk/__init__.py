"""A disk: its geometry, its table, the content of its partitions, and what uses it."""

from subfloor.observe.disk.free_space import FreeSpace, Remains
from subfloor.observe.disk.holdings import Holdings
from subfloor.observe.disk.probes import ENDS, SAMPLE, SAMPLE_PLACES
from subfloor.observe.disk.state import (
    LOST_GPT,
    UNKNOWN_DATA,
    Content,
    DiskState,
    Limits,
    Mapped,
    Missing,
    OtherTable,
    PartitionState,
    Unopened,
)
from subfloor.observe.disk.subject import Disk
from subfloor.observe.disk.users import HELD_BY

__all__ = [
    "ENDS",
    "HELD_BY",
    "LOST_GPT",
    "SAMPLE",
    "SAMPLE_PLACES",
    "UNKNOWN_DATA",
    "Content",
    "Disk",
    "DiskState",
    "FreeSpace",
    "Holdings",
    "Limits",
    "Mapped",
    "Missing",
    "OtherTable",
    "PartitionState",
    "Remains",
    "Unopened",
]
