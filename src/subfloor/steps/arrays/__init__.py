"""md arrays: the declaration of one in a play, and the steps that make, assemble and mend it."""

from subfloor.steps.arrays.assembling import assemble
from subfloor.steps.arrays.declared import Declared, check_apart, is_begun, is_member, kept
from subfloor.steps.arrays.making import make
from subfloor.steps.arrays.mending import as_degraded, mended

__all__ = ["Declared", "as_degraded", "assemble", "check_apart", "is_begun", "is_member", "kept", "make", "mended"]
