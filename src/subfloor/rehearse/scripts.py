"""The two shell scripts that the guest runs before the agent.

The first one runs in the initrd and makes the root. The second one runs in that root as process 1, starts what a
booted machine has (modules, udev, loopback), and then runs the agent. The busybox of the initrd runs both, so
neither depends on the programs of the shared root.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from subfloor.rehearse.model import Guest

AGENT_PORT = "subfloor.agent"
GUEST_DIRECTORY = "/run/subfloor"
AGENT = f"{GUEST_DIRECTORY}/agent.py"

# Loaded in advance; the kernel itself loads the modules that a mount needs.
_ALWAYS = ("virtio_rng", "loop")
_FOR_BUS = {"virtio": "virtio_blk", "nvme": "nvme"}

_INIT = """\
#!/bin/busybox sh
b=/bin/busybox
export PATH=/bin
fail() {{ echo "subfloor: the guest could not $1"; $b poweroff -f; }}
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for m in /modules/*.ko; do $b insmod "$m" || fail "load $m"; done
options=trans=virtio,version=9p2000.L,msize={msize},cache=loose
$b mount -t 9p -o "$options,ro" root /lower || fail "mount the shared root"
$b mount -t tmpfs -o mode=755 tmpfs /writable
$b mkdir -p /writable/upper /writable/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/writable/upper,workdir=/writable/work overlay /new \\
  || fail "lay its own overlay over the shared root"
for d in dev proc sys run lib/modules; do [ -d "/new/$d" ] || $b mkdir -p "/new/$d"; done
$b mkdir -p "/new/lib/modules/{release}"
$b mount -t 9p -o "$options,ro" modules "/new/lib/modules/{release}" || fail "mount the kernel's modules"
$b mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /new/run
$b mkdir -p /new/run/lock /new{directory}
$b cp /bin/busybox /agent.py /stage2 /new{directory}/
for d in dev proc sys; do $b mount --move "/$d" "/new/$d"; done
exec $b switch_root /new {directory}/busybox sh {directory}/stage2
"""

_STAGE2 = """\
b={directory}/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cd /
# As an init system sets it: a mount in one namespace appears in the others.
$b mount --make-rshared /
$b mkdir -p /dev/pts /dev/shm
$b mount -t devpts -o mode=620,gid=5,ptmxmode=666 devpts /dev/pts
$b mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm
$b hostname subfloor
$b ip link set lo up
/sbin/modprobe -a -q {modules}
[ -d /sys/firmware/efi/efivars ] && $b mount -t efivarfs efivarfs /sys/firmware/efi/efivars
if [ {udev} = yes ]; then
  for u in /usr/lib/systemd/systemd-udevd /lib/systemd/systemd-udevd; do [ -x "$u" ] && break; done
  "$u" --daemon && udevadm trigger --action=add --subsystem-match=block && udevadm settle --timeout=20
fi
{agent}
echo "subfloor: the agent ended with status $?"
$b sync
$b poweroff -f
"""


def init(release: str, msize: int = 1 << 19) -> bytes:
    """The initrd's /init. `msize` is the largest 9p message, in bytes."""
    return _INIT.format(release=release, directory=GUEST_DIRECTORY, msize=msize).encode()


def stage2(guest: Guest, python: Sequence[str]) -> bytes:
    """The script of process 1 in the new root; `python` starts the interpreter that the agent runs in."""
    modules = sorted({*_ALWAYS, *(_FOR_BUS[disk.bus] for disk in guest.disks)})
    return _STAGE2.format(
        directory=GUEST_DIRECTORY,
        modules=" ".join(modules),
        udev="yes" if guest.udev else "no",
        agent=shlex.join((*python, AGENT, AGENT_PORT)),
    ).encode()
