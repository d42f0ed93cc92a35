"""A disk: its geometry, its table, what its partitions hold, and what keeps it busy."""

from subfloor.subjects.disk.state import Content, DiskState, Limits, Missing, OtherTable, Volume
from subfloor.subjects.disk.subject import Disk

__all__ = ["Content", "Disk", "DiskState", "Limits", "Missing", "OtherTable", "Volume"]
