"""Steps that install NixOS: remove leftovers, lock the flake, install and record it."""

from __future__ import annotations

import posixpath

from subfloor.core.machine import Machine, Unknown
from subfloor.core.task import Command, Step
from subfloor.nixos.install_target import InstallTarget
from subfloor.nixos.sources import Digest, Files
from subfloor.observe.nixos import SYSTEM_OF, Configuration, Leftovers, System
from subfloor.observe.path import seen, unfinished


def remove_leftovers(machine: Machine, target: InstallTarget) -> Step | None:
    """A step that removes the files that an interrupted installation left on the boot partition; None without any."""
    left: Leftovers = seen(machine, target.leftovers) if target.boot else Leftovers()
    if not left.paths:
        return None
    boot = target.boot_partition
    paths = sorted(posixpath.join(boot, path) for path in left.paths)
    return Step(
        says=f"Remove what an unfinished installation left in {boot}: {left}",
        commands=(Command(("rm", "-f", "--", *paths)), Command(("sync", "--file-system", "--", boot))),
        after=machine.with_(target.leftovers, Leftovers()),
    )


def lock_flake(machine: Machine, target: InstallTarget, files: Files, timeout: int) -> Step | None:
    """A step that writes a local flake's lock file; None if the file exists, or the flake is not local.

    Without this step nixos-install would write the file, and so change the digest of the configuration.
    """
    if not target.is_local_flake or isinstance(files, Unknown) or "flake.lock" in files:
        return None
    nix = ("nix", "--extra-experimental-features", "nix-command flakes")
    return Step(
        says=f"Lock the inputs of the flake in {target.configuration}",
        commands=(Command((*nix, "flake", "lock", target.configuration), timeout=float(timeout)),),
        after=machine.with_(Configuration(target.configuration), Unknown()),
    )


def install(machine: Machine, target: InstallTarget, digest: Digest, channel_copy: bool, timeout: int) -> Step:
    """The step that installs a configuration. ``timeout``: seconds."""
    boot = (target.boot_partition,) if target.boot else ()
    return Step(
        says=f"Install NixOS from {target.source}",
        commands=(
            # From here until everything is done there is no record, so an interrupted installation is unfinished.
            Command(("rm", "-rf", "--one-file-system", "--", target.record, target.temporary)),
            Command(("mkdir", "-p", "--", target.temporary)),
            _nixos_install(target, channel_copy, timeout),
            Command(("rm", "-rf", "--one-file-system", "--", target.temporary)),
            Command(("sync", "--file-system", "--", target.at("/nix"), *boot)),
            _write_record(target, digest),
        ),
        after=machine.with_(target.system, System(Unknown(), digest, True)),
    )


def _nixos_install(target: InstallTarget, channel_copy: bool, timeout: int) -> Command:
    argv = ["nixos-install", "--root", target.root, "--no-root-passwd"]
    env = {"TMPDIR": target.temporary}
    if target.flake:
        directory, _, name = target.flake.rpartition("#")
        reference = target.at(directory) if target.is_local_flake else directory
        argv += ["--flake", f"{reference}#{name}", "--no-write-lock-file"]
    else:
        env["NIXOS_CONFIG"] = posixpath.join(target.configuration, "configuration.nix")
    if not channel_copy:
        argv.append("--no-channel-copy")
    return Command(tuple(argv), timeout=float(timeout), env=env)


# The record is written like every file of subfloor: under another name, flushed and renamed; then the name is flushed.
_RECORD = f"""{SYSTEM_OF}
read -r digest || [ -n "$digest" ]
printf '%s %s\\n' "$digest" "$(system_of "${{1%/}}" system)" | dd of="$3" conv=fsync status=none
mv -f -T -- "$3" "$2"
sync -- "${{2%/*}}"
"""


def _write_record(target: InstallTarget, digest: Digest) -> Command:
    """The command that writes the record. It gets the digest on standard input.

    A step shows the arguments of its commands, and in a check the digest may be unknown.
    """
    argv = ("sh", "-euc", _RECORD, "record", target.root, target.record, unfinished(target.record))
    return Command(argv, stdin=b"" if isinstance(digest, Unknown) else f"{digest}\n".encode())
