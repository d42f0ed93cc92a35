"""A disk: its geometry, its table, what its partitions hold, and what keeps it busy."""

from subfloor.subjects.disk.free_space import FreeSpace, Remains
from subfloor.subjects.disk.probes import EACH_SAMPLE, ENDS, SAMPLE
from subfloor.subjects.disk.state import (
    LOST_GPT,
    UNKNOWN_DATA,
    Content,
    DiskState,
    Limits,
    Missing,
    OtherTable,
    Volume,
)
from subfloor.subjects.disk.subject import Disk

__all__ = [
    "EACH_SAMPLE",
    "ENDS",
    "LOST_GPT",
    "SAMPLE",
    "UNKNOWN_DATA",
    "Content",
    "Disk",
    "DiskState",
    "FreeSpace",
    "Limits",
    "Missing",
    "OtherTable",
    "Remains",
    "Volume",
]
