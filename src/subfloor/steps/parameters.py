"""Parameters that several tasks share, with their documentation."""

from __future__ import annotations

from typing import Annotated

from subfloor.core.parameters import Param

InstallRoot = Annotated[str, Param("Where the installed system's root is mounted now", examples=("/mnt", "/"))]
"""The root of the system that is being installed, or ``/`` on a running one."""

Store = Annotated[str, Param("The directory of the persistent store, on the installed system")]
"""The directory that keeps files across reboots."""

Owner = Annotated[str, Param("The owner: a user name that the machine knows, or a number", min_length=1)]
Group = Annotated[str, Param("The group: a group name that the machine knows, or a number", min_length=1)]
