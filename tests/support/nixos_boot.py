"""A boot as NixOS does it, from what Nix itself makes of a configuration's `filesystems.nix`.

What stage 1 mounts, what is left to stage 2, and in which order: by the rules of NixOS (nixos/lib/utils.nix,
`pathsNeededForBoot` and `fsBefore`; nixos/modules/tasks/filesystems.nix). Nothing is mounted that the
configuration does not name, so what it lacks shows. Subfloor's own code has no part in this.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from subfloor import rehearse
from subfloor.rehearse import agent, initrd
from subfloor.rehearse.places import tool
from subfloor.rehearse.scripts import AGENT_PORT

_ALWAYS = ("/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr")


@dataclass(frozen=True)
class Mount:
    """An entry of `fileSystems`."""

    path: str
    device: str
    type: str
    options: tuple[str, ...] = ("defaults",)
    depends: tuple[str, ...] = ()
    needed: bool = False

    @property
    def line(self) -> str:
        options = ",".join(option for option in self.options if not option.startswith("x-"))
        return shlex.join(("m", self.device, self.path, self.type, options))


@dataclass(frozen=True)
class Boot:
    """What a machine with this configuration mounts and swaps, in its order; ``links``: what is linked into /etc."""

    stage1: tuple[Mount, ...]
    stage2: tuple[Mount, ...]
    swap: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


def evaluated(text: str, home: Path) -> dict[str, Any]:
    """What Nix makes of a module that needs nothing."""
    (home / "module.nix").write_text(text)
    expression = f"import {home}/module.nix {{ lib = {{ }}; config = {{ }}; pkgs = {{ }}; }}"
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--store", f"{home}/store", "-E", expression],
        capture_output=True,
        env=os.environ | {"NIX_STATE_DIR": f"{home}/state", "NIX_LOG_DIR": f"{home}/log", "HOME": str(home)},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    module: dict[str, Any] = json.loads(done.stdout)
    return module


Initrd = Literal["systemd", "scripted"]
"""What mounts in stage 1: systemd, or the scripts that NixOS had before."""


def booting(module: Mapping[str, Any], by: Initrd = "systemd") -> Boot:
    """How NixOS boots with the evaluated module.

    The scripts mount one after another, in NixOS's order. Systemd makes a unit of each line of an fstab, one fstab
    a stage; a unit waits for those of its stage that its place, the source of a bind or `depends` (which becomes
    `x-systemd.requires-mounts-for`) lies on, and for nothing else. So here every other order is turned round.
    """
    every = [_mount(path, about) for path, about in sorted(module["fileSystems"].items())]
    if by == "systemd":
        stages = (_any_order(mount for mount in every if mount.needed is needed) for needed in (True, False))
        ordered = [mount for stage in stages for mount in stage]
    else:
        ordered = _ordered(every)
    return Boot(
        tuple(mount for mount in ordered if mount.needed),
        tuple(mount for mount in ordered if not mount.needed),
        tuple(swap["device"] for swap in module["swapDevices"]),
        tuple((name, about["source"]) for name, about in module.get("environment", {}).get("etc", {}).items()),
    )


def _mount(path: str, about: Mapping[str, Any]) -> Mount:
    needed = about.get("neededForBoot", False) or path in _ALWAYS
    options, depends = tuple(about.get("options", ("defaults",))), tuple(about.get("depends", ()))
    return Mount(path, about["device"], about["fsType"], options, depends, needed)


def _ordered(mounts: Iterable[Mount]) -> list[Mount]:
    left, done = list(mounts), []
    while left:
        first = next(each for each in left if not any(_before(other, each) for other in left if other is not each))
        left.remove(first)
        done.append(first)
    return done


def _any_order(mounts: Iterable[Mount]) -> list[Mount]:
    """The last in the alphabet first, as far as what it waits for lets it."""
    left, done = list(mounts), []
    while left:
        ready = [each for each in left if not any(_before(other, each) for other in left if other is not each)]
        left.remove(ready[-1])
        done.append(ready[-1])
    return done


def _before(first: Mount, second: Mount) -> bool:
    return any(_slash(path).startswith(_slash(first.path)) for path in (second.device, second.path, *second.depends))


def _slash(path: str) -> str:
    return path if path.endswith("/") else f"{path}/"


# As a piece of sh, which wants the target in $t. A bind's source is made where there is none, as systemd does
# it; so a store that is mounted too late is no error, and what is written is written to memory.
MOUNT = """
m() {
    d=$1
    case ,$4, in *,bind,*|*,rbind,*) d=$t$1; [ -e "$d" ] || mkdir -p "$d" ;; esac
    if [ -f "$d" ]; then mkdir -p "$t${2%/*}"; : >>"$t$2"; else mkdir -p "$t$2"; fi
    mount -t "$3" -o "$4" "$d" "$t$2" || fail "mount $2"
}
"""


def mounting(mounts: Iterable[Mount]) -> str:
    return "".join(f"{mount.line}\n" for mount in mounts)


# A machine that starts from its disk alone. Its programs are the host's, shared under /run/host, as those
# of a NixOS are in its store: nothing of the configuration's own places is touched by that.

_STAGE1 = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
t=/target
fail() {{ echo "stage 1 could not $1"; poweroff -f; }}
mkdir -p /run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755 tmpfs /run
for m in /modules/*.ko; do insmod "$m" || fail "load $m"; done
mkdir -p /run/host /run/bin "$t"
cp /bin/busybox /run/bin/
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose root /run/host || fail "reach the programs"
mount --bind /dev /run/host/dev
mount --bind /proc /run/host/proc
mount --bind /sys /run/host/sys
# What udev does in a NixOS.
for b in /sys/class/block/vd*; do
    chroot /run/host /usr/sbin/blkid -p -o udev "/dev/${{b##*/}}" | while IFS== read -r key value; do
        case $key in
            ID_FS_LABEL_ENC) kind=label ;;
            ID_FS_UUID_ENC) kind=uuid ;;
            ID_PART_ENTRY_NAME) kind=partlabel ;;
            ID_PART_ENTRY_UUID) kind=partuuid ;;
            *) continue ;;
        esac
        mkdir -p "/dev/disk/by-$kind"
        ln -s "/dev/${{b##*/}}" "/dev/disk/by-$kind/$value"
    done
done
for d in proc sys dev; do umount "/run/host/$d"; done
for o in $(cat /proc/cmdline); do case $o in init=*) init=${{o#init=}} ;; esac; done
{mount}
. /stage1-mounts
cp /stage2-mounts /run/
[ -x "$t$init" ] || fail "find $init in the store"
for d in proc sys dev run; do mkdir -p "$t/$d"; mount --move "/$d" "$t/$d"; done
exec switch_root "$t" "$init"
"""

_STAGE2 = """#!/run/bin/busybox sh
b=/run/bin/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cd /
fail() {{ echo "stage 2 could not $1"; $b poweroff -f; }}
for d in /bin /lib /lib64 /sbin /usr {programs}; do
    [ ! -e "/run/host$d" ] || [ -e "$d" ] || {{ $b mkdir -p "${{d%/*}}/"; $b ln -s "/run/host$d" "$d"; }}
done
t=
{mount}
. /run/stage2-mounts
mkdir -p /etc /root /home /srv /tmp /dev/shm
for f in alternatives group ld.so.cache passwd; do [ -e "/etc/$f" ] || ln -s "/run/host/etc/$f" "/etc/$f"; done
mount -t tmpfs tmpfs /dev/shm
{agent}
echo "the agent ended with status $?"
swapoff -a
$b sync
$b umount -a -r
$b poweroff -f
"""


def stage1(kernel: rehearse.Kernel) -> bytes:
    """The initrd, but for what it has to mount: that is added once it is known. It starts the init of the entry."""
    index, builtin = ((kernel.modules / name).read_text() for name in ("modules.dep", "modules.builtin"))
    # ext4 asks for its checksum by name, so no index says that it needs the module. Later kernels have it built in.
    checksum = ["crc32c_generic"] if "/crc32c_generic.ko" in index else []
    wanted = (*initrd.EARLY_MODULES, "virtio_blk", "virtio_rng", *checksum, "ext4", "vfat", "nls_cp437", "nls_ascii")
    modules = {path: (kernel.modules / path).read_bytes() for path in initrd.load_order(index, builtin, wanted)}
    return initrd.build(tool("busybox").read_bytes(), modules, {"/init": _STAGE1.format(mount=MOUNT).encode()})


def stage2(checkout: Path) -> bytes:
    """The init: it mounts the rest, and serves the agent until the host hangs up; then the machine ends cleanly.

    ``checkout``: where subfloor is, on the host and so in the machine. Python is this one.
    """
    serving = shlex.join((sys.executable, "-I", "-S", f"/run/host{Path(agent.__file__)}", AGENT_PORT))
    programs = shlex.join(map(str, (checkout, sys.prefix, sys.base_prefix)))
    return _STAGE2.format(mount=MOUNT, agent=serving, programs=programs).encode()


def mounts(boot: Boot) -> bytes:
    """What each stage mounts, as an archive to append to the initrd (the kernel takes several, one after another)."""
    swap = "".join(f"swapon {shlex.quote(device)} || fail 'use the swap'\n" for device in boot.swap)
    links = "".join(f"mkdir -p /etc; ln -s {shlex.quote(to)} /etc/{shlex.quote(name)}\n" for name, to in boot.links)
    lists = {"stage1-mounts": mounting(boot.stage1), "stage2-mounts": mounting(boot.stage2) + swap + links}
    return initrd.archive(initrd.Entry(name, text.encode(), 0o644) for name, text in lists.items())


OPTIONS = (
    "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr no_timer_check cryptomgr.notests "
    "random.trust_cpu=on audit=0"
)
"""Options for an emulated kernel: it starts sooner, and ends where it panics."""
