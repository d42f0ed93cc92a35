"""A btrfs root that is replaced at every boot: a service of the systemd initrd, which runs before the root is mounted.

The old root is moved aside and a snapshot of the blank subvolume takes its place. After a power cut between any two of
the commands, the next boot continues.
"""

from __future__ import annotations

import re
import shlex

from subfloor.core.contributions import FileSystem, Rollback
from subfloor.nixos import nix
from subfloor.nixos.layout import Layout
from subfloor.observe.path import unfinished
from subfloor.steps.mount_options import subvolume

SERVICE = "rollback-root"
"""The name of the service."""

_RESUMING = ("local-fs-pre.target", "systemd-hibernate-resume.service")
"""The units that attempt to resume: the service waits for them.

A filesystem that a hibernated system has mounted must not be changed.
"""


def check(layout: Layout, *, systemd_initrd: bool) -> None:
    """Raise ``ValueError`` if the root would not be rolled back, or if needed data would be lost with it.

    Devices in the layout have the names that the play uses.
    """
    rolled = layout.rollback
    if rolled is None:
        return
    root = next((each for each in layout.filesystems if each.path == "/"), None)
    shown = f"/{rolled.subvolume}"
    if root is None or (root.device, root.type, subvolume(root.options)) != (rolled.device, "btrfs", shown):
        raise ValueError(
            f"root: the play rolls back {shown} of {rolled.device} at every boot, but mounts something else "
            f"as the root: mount it with the same `source` and the option `subvol={rolled.subvolume}`"
        )
    if not systemd_initrd:
        raise ValueError("initrd: only a systemd initrd can roll back the root; leave `initrd` out")
    inner = [each.path for each in layout.filesystems if _lies_inside(each, rolled)]
    needed = ("/nix/store", *layout.stores, *(each.path for each in layout.swap_files))
    if lost := [*inner, *(path for path in needed if not layout.keeps(path))]:
        raise ValueError(
            f"root: {', '.join(lost)} would be lost at every boot with the root {shown}: mount another subvolume there"
        )


def _lies_inside(each: FileSystem, rolled: Rollback) -> bool:
    return each.device == rolled.device and subvolume(each.options).startswith(f"/{rolled.subvolume}/")


def settings(layout: Layout) -> dict[str, nix.Value]:
    """The options of `boot.initrd.systemd`; none if the root is not rolled back. Their Nix code uses ``pkgs``."""
    root = layout.holder("/")
    if layout.rollback is None or root is None:
        return {}
    device = f"{escaped(root.device)}.device"
    service: dict[str, nix.Value] = {
        "description": f"Replace the root subvolume /{layout.rollback.subvolume} by a blank one",
        "wantedBy": ["initrd.target"],
        "requires": [device],
        "after": [device, *_RESUMING],
        "before": ["sysroot.mount", "shutdown.target"],
        "conflicts": ["shutdown.target"],
        # It must not run again later, when the root is in use.
        "unitConfig": {"DefaultDependencies": False, "ConditionPathIsMountPoint": "!/sysroot"},
        "serviceConfig": {"Type": "oneshot", "RemainAfterExit": True},
        "script": script(layout.rollback, root.device),
    }
    program = nix.Expression('"${pkgs.btrfs-progs}/bin/btrfs"')
    return {"extraBin": {"btrfs": program}, "services": {SERVICE: service}}


def script(rollback: Rollback, device: str) -> str:
    """What the service does, in sh with `set -e`. ``device``: the btrfs, as the installed system finds it."""
    given = {
        "device": device,
        "root": rollback.subvolume,
        "blank": rollback.blank,
        "new": unfinished(f"/{rollback.subvolume}")[1:],
        "keep": f"{rollback.keep}",
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in given.items()) + _SCRIPT


def escaped(path: str) -> str:
    """A path as the name of a systemd unit, as systemd-escape(1) writes it with ``--path``."""
    text = re.sub(r"/+", "/", path.strip("/")).encode("utf-8", "surrogateescape")
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_."
    parts = (
        "-" if byte == ord("/") else chr(byte) if byte in plain and (place or byte != ord(".")) else f"\\x{byte:02x}"
        for place, byte in enumerate(text)
    )
    return "".join(parts) or "-"


# `btrfs subvolume list -o` prints paths from the top level. A user of the system may create a subvolume whose name
# contains a newline, and so looks like another line. So `remove` takes only paths inside the subvolume that it removes.
_SCRIPT = r"""
top=/run/rollback-root
mkdir -p "$top"
mount -t btrfs -o subvol=/ "$device" "$top"
trap 'umount "$top"' EXIT

remove() (
    [ -e "$top/$1" ] || exit 0
    btrfs subvolume list -o "$top/$1" | while IFS= read -r line; do
        inner=${line#* path }
        case /$inner/ in */../*) continue ;; esac
        case $inner in "$1"/*) remove "$inner" ;; esac
    done
    btrfs subvolume delete "$top/$1"
)

if ! btrfs subvolume show "$top/$blank" >/dev/null; then
    echo "There is no subvolume $blank: the root stays as it is." >&2
    exit 1
fi
last=$((keep + 1))
remove "$new"
remove "$root.former-$last"
btrfs subvolume snapshot "$top/$blank" "$top/$new"
if [ -e "$top/$root" ]; then
    number=$keep
    while [ "$number" -gt 0 ]; do
        [ ! -e "$top/$root.former-$number" ] ||
            mv -T "$top/$root.former-$number" "$top/$root.former-$((number + 1))"
        number=$((number - 1))
    done
    mv -T "$top/$root" "$top/$root.former-1"
fi
mv -T "$top/$new" "$top/$root"
remove "$root.former-$last"
"""
