"""The zoo: disks that other tools left (`tests/data/zoo`); how one is made in a guest, and what is left on it."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from places import DATA
from subfloor import rehearse

MIB = 1 << 20
ZOO = DATA / "zoo"
PLAY = str(ZOO / "play.yml")

DISKS = (
    rehearse.Disk(512 * MIB, serial="ZOO-A"),  # /dev/vda
    rehearse.Disk(512 * MIB, "nvme", serial="ZOO-N"),  # /dev/nvme0n1
    rehearse.Disk(512 * MIB, sector=4096, serial="ZOO-B"),  # /dev/vdb
    rehearse.Disk(512 * MIB, serial="ZOO-C"),  # /dev/vdc: the second disk of those that have two
)
SECOND = "/dev/vdc"


@dataclass(frozen=True)
class ForeignDisk:
    """One disk of the zoo, as README.md there says. ``of``: the file that has it, named for its makers."""

    name: str
    of: str
    make: str
    ours: tuple[str, ...] | None = None
    asks: bool = True
    shows: tuple[str, ...] = ()
    busy: str = ""
    kept: str = ""
    sector: int = 512

    @property
    def node(self) -> str:
        """The disk in the guest that it is made on: virtio or NVMe, always the same one."""
        if self.sector == 4096:
            return "/dev/vdb"
        return ("/dev/vda", "/dev/nvme0n1")[zlib.crc32(self.name.encode()) % 2]


def foreign_disks() -> list[ForeignDisk]:
    """Every disk of the zoo, in the order of the files."""
    files = sorted(path for path in ZOO.glob("*.yml") if path.name != "play.yml")
    return [
        _foreign_disk(name, path.stem, entry)
        for path in files
        for name, entry in yaml.safe_load(path.read_text()).items()
    ]


def _foreign_disk(name: str, of: str, entry: str | Mapping[str, Any]) -> ForeignDisk:
    keys: dict[str, Any] = {"make": entry} if isinstance(entry, str) else dict(entry)
    for key in {"ours", "shows"} & keys.keys():
        keys[key] = tuple(keys[key])
    return ForeignDisk(name, of, **keys)


# In the guest.

EMPTY = """
exec 2>&1
for point in $(findmnt -rno TARGET | grep -E '^/(mnt|srv|run/busy|run/zoo)' | tac); do umount -l "$point"; done
swapoff -a
losetup -D
udevadm settle
for try in 1 2 3; do
  dmsetup remove_all >/dev/null 2>&1 || true
  for md in /dev/md[0-9]*; do [ ! -b "$md" ] || mdadm --quiet --stop "$md" || true; done
  for stop in /sys/block/bcache*/bcache/stop /sys/fs/bcache/*/stop; do [ ! -e "$stop" ] || echo 1 >"$stop"; done
  udevadm settle
  free=yes
  for disk in "$@"; do blkdiscard -f "$disk" || free=no; done
  [ $free = no ] || break
  sleep 1
done
for disk in "$@"; do blockdev --rereadpt "$disk"; done
rm -rf /run/lvm /run/mdadm
udevadm settle
"""
"""Empties the disks, whatever holds them."""

REPLUG = """
udevadm settle
d=$(readlink -f /sys/block/${1#/dev/}/device)
while [ ! -e "$d/remove" ]; do d=${d%/*}; done
sync "$1"
echo 1 > "$d/remove"
udevadm settle
echo 1 > /sys/bus/pci/rescan
for try in 1 2 3 4 5 6 7 8 9 10; do [ ! -b "$1" ] || break; sleep 0.3; done
udevadm settle
blockdev --rereadpt "$1"
udevadm settle
"""
"""Unplugs the disk and plugs it in again, so that udev looks at all of it anew; and has its table read again."""

LIST = r"""
exec 2>&1
d=$1
for node in "$d" "${d}"[0-9]* "${d}"p[0-9]*; do
  [ -b "$node" ] || continue
  name=${node#/dev/}
  echo "node $name"
  wipefs --no-act --parsable --noheadings --output TYPE "$node" | sort -u | sed 's/^/signature /'
  ls /sys/class/block/$name/holders | sed 's/^/holder /'
  mdadm --examine "$node" 2>/dev/null | grep -E '^ *Version :' | sed 's/^/array /' || true
  if cryptsetup isLuks "$node" 2>/dev/null; then echo luks; fi
done
if pvs --noheadings -o pv_name 2>/dev/null | grep -F "$d"; then echo volume; fi
if sfdisk --verify "$d" | grep -q 'No errors detected'; then echo sound; fi
if sgdisk --verify "$d" | grep -q 'No problems found'; then echo verified; fi
"""
"""What is on the disk and on what the kernel has of its partitions, one thing a line."""

Sh = Callable[..., str]


def wanted(node: str) -> list[str]:
    """What `LIST` says of a disk that has been laid out, and of nothing else."""
    name = node.removeprefix("/dev/")
    part = f"{name}p1" if name[-1].isdigit() else f"{name}1"
    return [f"node {name}", "signature PMBR", "signature gpt", f"node {part}", "signature ext4", "sound", "verified"]


def remains(sh: Sh, node: str) -> list[str]:
    """What is on the disk now."""
    return sh(LIST, node, timeout=120).splitlines()


def make(guest: rehearse.Machine, foreign: ForeignDisk, script: str, node: str) -> str:
    """Run a script of the disk's in the guest; what is wrong with it, or nothing."""
    whole = f"{(ZOO / 'prelude.sh').read_text()}\n{script}\nudevadm settle; sync"
    done = guest.run(["bash", "-c", whole, "zoo", node, SECOND], timeout=300)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).decode(errors="replace")


def digest(image: Path) -> str:
    """Of all that the image file holds: its blocks that are not zeros, with their places."""
    sums = hashlib.sha256()
    with image.open("rb") as file:
        for at in _blocks(file.fileno()):
            block = os.pread(file.fileno(), BLOCK, at)
            if block.strip(b"\0"):
                sums.update(at.to_bytes(8, "big") + block)
    return sums.hexdigest()


BLOCK = 64 << 10


def _blocks(file: int) -> Iterator[int]:
    """Where the blocks begin that are not holes altogether, in their order."""
    at = 0
    while True:
        try:
            data = os.lseek(file, at, os.SEEK_DATA)
        except OSError:  # ENXIO: there is no more
            return
        hole = os.lseek(file, data, os.SEEK_HOLE)
        first = max(at, data // BLOCK * BLOCK)
        at = -(-hole // BLOCK) * BLOCK
        yield from range(first, at, BLOCK)


def written(sh: Sh, node: str) -> int:
    """Sectors written to the disk since it came, as the kernel counts them."""
    return int(sh("cat /sys/block/${1#/dev/}/stat", node).split()[6])
