"""The stable names of the API for plugins: none is removed or changes its meaning while ``VERSION`` stays the same."""

from __future__ import annotations

from subfloor.core.contributions import (
    Administrators,
    ArrayDevice,
    Contribution,
    EncryptedDevice,
    FileSystem,
    Home,
    HostKey,
    LogicalVolume,
    PasswordFile,
    Persisted,
    Rollback,
    SwapDevice,
    SwapFile,
)
from subfloor.core.errors import (
    LookFailed,
    NotVisible,
    Refused,
)
from subfloor.core.identity import (
    Identity,
)
from subfloor.core.machine import (
    AnySubject,
    Machine,
    Output,
    Subject,
    Unknown,
)
from subfloor.core.parameters import (
    FromPlay,
    Param,
    checked,
)
from subfloor.core.secret import (
    Secret,
)
from subfloor.core.task import (
    Claim,
    Command,
    Loss,
    Step,
    Task,
    hookimpl,
)
from subfloor.observe.disk import (
    Content,
    Disk,
    DiskState,
    PartitionState,
)
from subfloor.observe.mount import (
    Mount,
    Mounted,
    MountState,
)
from subfloor.observe.path import (
    DIRECTORY,
    FILE,
    Absent,
    Node,
    NotYetVisible,
    Path,
    PathState,
    Text,
    TextFile,
    check_clean,
    mode_of,
    seen,
)
from subfloor.observe.secret_file import (
    SecretFile,
)
from subfloor.observe.swap import (
    Swap,
    SwapState,
)
from subfloor.observe.tool import (
    Tool,
)

__all__ = [
    # The contract: what a task is, and what it returns.
    "AnySubject",
    "Claim",
    "Command",
    "FromPlay",
    "Identity",
    "LookFailed",
    "Loss",
    "Machine",
    "NotVisible",
    "Output",
    "Param",
    "Refused",
    "Secret",
    "Step",
    "Subject",
    "Task",
    "Unknown",
    "checked",
    "hookimpl",
    # What a task contributes to the configuration of the installed system.
    "Administrators",
    "ArrayDevice",
    "Contribution",
    "EncryptedDevice",
    "FileSystem",
    "Home",
    "HostKey",
    "LogicalVolume",
    "PasswordFile",
    "Persisted",
    "Rollback",
    "SwapDevice",
    "SwapFile",
    # What can be looked at on a machine: paths, files, disks, mounts, swap areas, programs.
    "Absent",
    "Content",
    "DIRECTORY",
    "Disk",
    "DiskState",
    "FILE",
    "Mount",
    "MountState",
    "Mounted",
    "Node",
    "NotYetVisible",
    "PartitionState",
    "Path",
    "PathState",
    "SecretFile",
    "Swap",
    "SwapState",
    "Text",
    "TextFile",
    "Tool",
    "check_clean",
    "mode_of",
    "seen",
]
