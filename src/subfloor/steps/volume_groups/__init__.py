"""LVM: the steps that make and change a volume group, and a logical volume in it, as a play declares them."""

from subfloor.steps.volume_groups.declared import Declared
from subfloor.steps.volume_groups.group import grouped
from subfloor.steps.volume_groups.logical import kept, made
from subfloor.steps.volume_groups.physical import check_room, filled, grown, make, wanted
from subfloor.steps.volume_groups.pools import pool

__all__ = ["Declared", "check_room", "filled", "grouped", "grown", "kept", "made", "make", "pool", "wanted"]
