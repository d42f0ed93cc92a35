"""A desktop that mounts what was just made, and devices that have several names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from crash.forked import Ran

ROOT = Path(__file__).parent.parent.parent
DATA_DISK = str(ROOT / "playbooks" / "data-disk.yml")
TWO = json.dumps(
    [
        {"name": "home", "label": "home", "type": "ext4", "size": "24MiB", "path": "/srv/home"},
        {"name": "more", "label": "more", "type": "ext4", "size": "rest", "path": "/srv/more"},
    ]
)

# As udisks does for a desktop: whatever filesystem appears is mounted, by a program that udev does not wait for.
DESKTOP = r"""
mkdir -p /run/udev/rules.d /run/media
cat > /run/desktop <<'END'
#!/bin/sh
grep -q "^$1 " /proc/mounts || { mkdir -p "/run/media/${1##*/}"; mount "$1" "/run/media/${1##*/}"; }
END
chmod 755 /run/desktop
printf '%s\n' 'SUBSYSTEM=="block", KERNEL=="vdg?*", ENV{ID_FS_USAGE}=="filesystem", RUN+="/run/desktop $devnode"' \
    > /run/udev/rules.d/99-desktop.rules
udevadm control --reload
"""
NO_DESKTOP = """
rm -f /run/udev/rules.d/99-desktop.rules; udevadm control --reload; udevadm settle
for m in /run/media/*; do ! mountpoint -q "$m" || umount "$m"; done
"""


def test_a_desktop_that_mounts_at_once(
    subfloor: Callable[..., list[Ran]], blank: Callable[[str], str], sh: Callable[..., str]
) -> None:
    disk = blank("/dev/vdg")
    arguments = [DATA_DISK, "-e", f"disk={disk}", "-e", f"volumes={TWO}"]
    sh(DESKTOP)
    try:
        done, again = subfloor(["apply", *arguments], ["check", *arguments])
        mounted = sh("udevadm settle; findmnt -nro TARGET -S /dev/vdg1")
    finally:
        sh(NO_DESKTOP)
    assert (done.status, again.status) == (0, 0), (done, again)
    assert set(mounted.split()) == {"/run/media/vdg1", "/srv/home"}


PLAY = """
- name: A volume
  hosts: all
  seed: x
  tasks:
    - mount: {{path: /srv/volume, source: {source}, type: {type}, options: [noatime]}}
    - bind-persist: {{path: /kept, root: /, store: /srv/volume}}
"""
NAMES = ("/dev/vg0/root", "/dev/mapper/vg0-root", "/dev/dm-0", "LABEL=cellar")
VOLUME = r"""
modprobe dm_mod 2>/dev/null || :
kind=$2
size=$(blockdev --getsz "$1")
printf '0 %s linear %s 0\n' "$size" "$1" | dmsetup create vg0-root
udevadm settle
[ -b /dev/mapper/vg0-root ] || dmsetup mknodes
mkdir -p /dev/vg0; ln -sfn ../mapper/vg0-root /dev/vg0/root
case "$2" in ext4) set -- -q -F ;; *) set -- -q -f ;; esac
"mkfs.$kind" "$@" -L cellar /dev/mapper/vg0-root
udevadm settle
"""
NO_VOLUME = "umount -R /kept /srv/volume 2>/dev/null || :; dmsetup remove --retry vg0-root; rm -rf /dev/vg0 /kept"


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
@pytest.mark.parametrize("node", ["link", "node"])
def test_a_mapped_device_by_any_name(
    kind: str, node: str, subfloor: Callable[..., list[Ran]], blank: Callable[[str], str], sh: Callable[..., str]
) -> None:
    """udev makes links below /dev/mapper; without it device-mapper makes nodes. Whoever mounted it used either name."""
    disk = blank("/dev/vdg")
    sh(VOLUME, disk, kind)
    try:
        if node == "node":
            sh("rm /dev/mapper/vg0-root; mknod /dev/mapper/vg0-root b $(tr : ' ' < /sys/block/dm-0/dev)")
        for name in NAMES:
            sh('printf %s "$2" > "$1"', f"/tmp/{name.replace('/', '_')}.yml", PLAY.format(source=name, type=kind))
        for first in NAMES[:3]:
            done, *checks = subfloor(
                *(["apply" if name == first else "check", _play(name)] for name in (first, *NAMES))
            )
            assert done.status == 0 and {ran.status for ran in checks} == {0}, (first, done, checks)
            sh("umount /kept /srv/volume")
    finally:
        sh(NO_VOLUME)


def _play(name: str) -> str:
    return f"/tmp/{name.replace('/', '_')}.yml"
