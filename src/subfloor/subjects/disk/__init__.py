"""A disk: its geometry, its table, what its partitions hold, and what keeps it busy."""

from subfloor.subjects.disk.state import LOST_GPT, Content, DiskState, Limits, Missing, OtherTable, Volume
from subfloor.subjects.disk.subject import Disk

__all__ = ["LOST_GPT", "Content", "Disk", "DiskState", "Limits", "Missing", "OtherTable", "Volume"]
