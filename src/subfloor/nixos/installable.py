"""Checks before NixOS is installed; each check raises ``Refused`` with advice."""

from __future__ import annotations

import posixpath
import shlex

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine, Unknown
from subfloor.nixos import lint
from subfloor.nixos.install_target import InstallTarget
from subfloor.nixos.sources import Files
from subfloor.observe.mount import Mount, MountLocation, UnderlyingMount
from subfloor.observe.nixos import System, SystemState

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def check_persistent(machine: Machine, target: InstallTarget) -> None:
    """Raise ``Refused`` if the installed system would not persist: nothing is mounted, or a store is in memory."""
    for path in filter(None, (target.root, target.boot_partition)):
        if not machine[Mount(path)].stack:
            raise Refused(
                f"nothing is mounted at {path}",
                advice="put a `mount` or `tmpfs-mount` task for it before this one, and run subfloor again",
            )
    for path in (target.at("/nix/store"), target.at(target.state)):
        cover: MountLocation = machine[UnderlyingMount(path)]
        if cover.type in _IN_MEMORY:
            raise Refused(
                f"{path} would be in memory, on {cover}, and lost at the next boot",
                advice=f"mount a disk's filesystem at {target.at('/nix')} or give another `state`; run subfloor again",
            )


def check_configured(target: InstallTarget, files: Files) -> None:
    """Raise ``Refused`` if there is no configuration to install."""
    if isinstance(files, Unknown) or (target.flake and not target.is_local_flake):
        return
    name = "flake.nix" if target.flake else "configuration.nix"
    if name not in files:
        raise Refused(
            f"there is no {posixpath.join(target.configuration, name)} to install from",
            advice="the task `nixos-config` writes it; or put your own there, and run subfloor again",
        )


def check_login(target: InstallTarget, files: Files, locked_out: bool) -> None:
    """Raise ``Refused`` if nobody could log in. ``locked_out``: the play lets nobody in; only local.nix could."""
    if locked_out and not isinstance(files, Unknown) and "local.nix" not in files:
        raise Refused(lint.LOCKED_OUT, advice=f"{lint.LET_IN}; or declare who can in {target.configuration}/local.nix")


def check_running(target: InstallTarget, there: SystemState) -> None:
    """Raise ``Refused`` unless nixos-rebuild made the running system after the configuration was last changed."""
    if isinstance(there, System) and there.boots and not there.made_from:
        return
    if isinstance(there, System) and there.boots:
        what = f"the configuration in {target.configuration} has changed since the system was last rebuilt"
        command = "nixos-rebuild switch"
    else:
        what = "there is no system profile that the boot loader starts"
        command = "nixos-rebuild boot --install-bootloader"
    flake = f" --flake {shlex.quote(target.flake)}" if target.flake else ""
    raise Refused(what, advice=f"`{command}{flake}` on this machine: subfloor never reinstalls a running system")
