"""Names for NixOS, its configuration and its installation that the built-in tasks share; part of the toolbox."""

from __future__ import annotations

from subfloor.core.parameters import (
    FromPlaybook,
)
from subfloor.core.recording import (
    Recording,
    Unrecorded,
)
from subfloor.nixos import (
    boot,
    crypt,
    device_tags,
    encryption_checks,
    filesystems,
    installable,
    installing,
    lint,
    releases,
    replaced_files,
    rollback,
    self_checking,
    sources,
    swaps,
    system,
    tracked,
    users,
    writing,
)
from subfloor.nixos.declaration import (
    Declaration,
)
from subfloor.nixos.directory import (
    ConfigurationDirectory,
)
from subfloor.nixos.install_target import (
    InstallTarget,
    check_safe_root,
)
from subfloor.nixos.layout import (
    Device,
    Layout,
    under,
)
from subfloor.nixos.settings import SystemSettings
from subfloor.nixos.users import (
    Name,
)

__all__ = [
    "ConfigurationDirectory",
    "Declaration",
    "Device",
    "InstallTarget",
    "Layout",
    "Name",
    "FromPlaybook",
    "Recording",
    "SystemSettings",
    "Unrecorded",
    "boot",
    "self_checking",
    "check_safe_root",
    "crypt",
    "device_tags",
    "encryption_checks",
    "filesystems",
    "installable",
    "installing",
    "lint",
    "releases",
    "replaced_files",
    "rollback",
    "sources",
    "swaps",
    "system",
    "tracked",
    "under",
    "users",
    "writing",
]
