"""Names that the built-in tasks share, and every plugin may use. A release may change them; the changelog says so."""

from __future__ import annotations

from subfloor.observe.filesystem_size import SizeOn
from subfloor.observe.git import (
    Tracking,
)
from subfloor.observe.hidden import (
    Hiding,
)
from subfloor.observe.memory import (
    Memory,
    MemoryState,
)
from subfloor.observe.mkfs_trial import (
    Trial,
)
from subfloor.observe.mount import (
    DevicesMounted,
    UnderlyingMount,
    mounting,
    remounting,
)
from subfloor.observe.nixos import (
    System,
)
from subfloor.observe.path import (
    MODE_PATTERN,
    ROOT,
    Located,
    directory,
    is_below,
    unfinished,
)
from subfloor.observe.running import (
    RunningSystem,
    StartedByUefi,
)
from subfloor.observe.subvolume import (
    Subvolume,
    SubvolumeState,
)
from subfloor.observe.swap_file import (
    ResumeOffset,
    SwapInFile,
    SwapInFileState,
)
from subfloor.observe.usage import (
    Usage,
    Used,
)
from subfloor.observe.volume_group import (
    Group,
)
from subfloor.steps import (
    arrays,
    binds,
    block_devices,
    containers,
    contents,
    copies,
    growing,
    mount_options,
    mounts,
    parameters,
    parents,
    partitions,
    paths,
    relabelling,
    subvolumes,
    tables,
    volume_groups,
)
from subfloor.steps.binds import (
    Bind,
)
from subfloor.steps.containers import (
    Container,
    Key,
)
from subfloor.steps.files import (
    keep_output,
    write_file,
    write_secret,
)
from subfloor.steps.losses import (
    loss,
)
from subfloor.steps.mounts import (
    check_free,
    elsewhere,
    mount,
    place,
    remount,
)
from subfloor.steps.partitioning import (
    check_not_another,
    disk_at,
    guard,
    is_overwritten,
    stamp,
    table_of,
    unused,
    writable,
)
from subfloor.steps.partitions import (
    Attribute,
    LabelledDisk,
    Partition,
)
from subfloor.steps.planned import (
    partitions_of,
)
from subfloor.steps.refusals import (
    together,
)
from subfloor.steps.volumes import (
    GroupAt,
    Location,
    Volume,
    filled_disks,
    group_of,
    is_filled_by,
    locate,
)
from subfloor.steps.volumes.array import (
    own as own_array,
)
from subfloor.storage import (
    declared_sizes,
    gpt,
    sizes,
)
from subfloor.storage.arrays import (
    check_name as check_array_name,
)
from subfloor.storage.devices import (
    device,
    logical_volume,
    partition_node,
    partition_of,
    whole_disk,
)
from subfloor.storage.filesystems import (
    TOOLS,
    Call,
    check_label,
    least_sectors,
    uuid_on_disk,
)
from subfloor.storage.gpt import (
    Entry,
    Gpt,
)
from subfloor.storage.lvm import (
    check_group,
    check_volume,
)
from subfloor.storage.lvm_kinds import (
    POOL,
    THIN,
    Shape,
    shape,
)
from subfloor.storage.marks import (
    LONGEST_NAME,
    UNFINISHED,
)
from subfloor.storage.mkfs_options import (
    check_options,
)
from subfloor.storage.partition_types import (
    type_guid,
)
from subfloor.storage.raid_levels import (
    check_chunk,
    check_layout,
    geometry,
)
from subfloor.storage.sizes import (
    MIB,
    show,
)

__all__ = [
    # More subjects, and their parts.
    "DevicesMounted",
    "Group",
    "Hiding",
    "Located",
    "MODE_PATTERN",
    "Memory",
    "MemoryState",
    "ROOT",
    "ResumeOffset",
    "RunningSystem",
    "SizeOn",
    "StartedByUefi",
    "Subvolume",
    "SubvolumeState",
    "SwapInFile",
    "SwapInFileState",
    "System",
    "Tracking",
    "Trial",
    "UnderlyingMount",
    "Usage",
    "Used",
    "directory",
    "is_below",
    "mounting",
    "remounting",
    "unfinished",
    # Steps that several tasks share.
    "Attribute",
    "Bind",
    "Container",
    "GroupAt",
    "Key",
    "LabelledDisk",
    "Location",
    "Partition",
    "Volume",
    "arrays",
    "binds",
    "block_devices",
    "check_free",
    "check_not_another",
    "containers",
    "contents",
    "copies",
    "disk_at",
    "elsewhere",
    "filled_disks",
    "growing",
    "group_of",
    "guard",
    "is_filled_by",
    "is_overwritten",
    "keep_output",
    "locate",
    "loss",
    "mount",
    "mount_options",
    "mounts",
    "own_array",
    "parameters",
    "parents",
    "partitions",
    "partitions_of",
    "paths",
    "place",
    "relabelling",
    "remount",
    "stamp",
    "subvolumes",
    "table_of",
    "tables",
    "together",
    "unused",
    "volume_groups",
    "writable",
    "write_file",
    "write_secret",
    # Disk structures.
    "Call",
    "Entry",
    "Gpt",
    "LONGEST_NAME",
    "MIB",
    "POOL",
    "Shape",
    "THIN",
    "TOOLS",
    "UNFINISHED",
    "check_array_name",
    "check_chunk",
    "check_group",
    "check_label",
    "check_layout",
    "check_options",
    "check_volume",
    "declared_sizes",
    "device",
    "geometry",
    "gpt",
    "least_sectors",
    "logical_volume",
    "partition_node",
    "partition_of",
    "shape",
    "show",
    "sizes",
    "type_guid",
    "uuid_on_disk",
    "whole_disk",
]
