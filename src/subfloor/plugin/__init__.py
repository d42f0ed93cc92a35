"""The API for plugins: the only subfloor module that a task imports.

The names of `stable` keep their meaning as long as ``VERSION`` keeps its number; new names may be added. `toolbox` and
`nixos` list what the built-in tasks share: partition tables, files, mounts, Nix text. Every plugin may use these names,
but a release may change them together with the built-in tasks; the changelog says so. Plugins use nothing else of
subfloor.
"""

from __future__ import annotations

from subfloor.plugin import nixos, stable, toolbox
from subfloor.plugin.nixos import *
from subfloor.plugin.stable import *
from subfloor.plugin.toolbox import *

VERSION = 1
"""The version of this API: raised when a name of `stable` is removed or changes its meaning."""

__all__ = ["VERSION"]
__all__ += stable.__all__
__all__ += toolbox.__all__
__all__ += nixos.__all__
