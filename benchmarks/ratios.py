"""What subfloor costs, as ratios between two commands that are run in turn, so that a busy machine slows both.

    sudo .venv/bin/python benchmarks/ratios.py [ROUNDS]

Needs root and a loop device; touches nothing but an image of its own.

    check / python          a converged check, against a bare start of Python
    check / probes          the same, against its probes alone, run by a shell
    apply / script          a whole layout, against the same commands as a shell script
"""

from __future__ import annotations

import contextlib
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from subfloor.act.look import script
from subfloor.observe.disk import Disk

SIZE = 4 << 30
PLAYBOOK = """
- hosts: all
  seed: benchmark
  tasks:
    - wipefs: {device: "{{ disk }}"}
    - gpt-label: {device: "{{ disk }}"}
    - aligned-partition: {device: "{{ disk }}", number: 1, name: ESP, type: esp, size: 512MiB}
    - aligned-partition: {device: "{{ disk }}", number: 2, name: swap, type: swap, size: 1GiB}
    - aligned-partition: {device: "{{ disk }}", number: 3, name: nix, type: linux, size: rest}
    - mkfs: {device: "{{ disk | partition(1) }}", type: vfat, label: boot}
    - mkfs: {device: "{{ disk | partition(2) }}", type: swap, label: swap}
    - mkfs: {device: "{{ disk | partition(3) }}", type: ext4, label: nixos}
"""
BY_HAND = """
set -e
wipefs -qa "$1"
printf '%s\\n' 'label: gpt' 'size=512MiB, type=uefi, name=ESP' 'size=1GiB, type=swap, name=swap' \\
    'type=linux, name=nix' |
    sfdisk -q --no-reread --no-tell-kernel --wipe always --wipe-partitions always "$1"
partx --update "$1"
for n in 1 2 3; do wipefs -qa "$1p$n"; sync "$1p$n"; done
mkfs.fat -F 32 -n boot "$1p1" >/dev/null; sync "$1p1"; fsck.fat -n "$1p1" >/dev/null
mkswap -q -L swap "$1p2"; sync "$1p2"
mkfs.ext4 -q -F -L nixos "$1p3"; sync "$1p3"; e2fsck -f -n "$1p3" >/dev/null 2>&1
"""

Command = Sequence[str]


def ratio(one: Command, other: Command, rounds: int, before: Callable[[], None]) -> tuple[float, float, float]:
    """The least, the median and the greatest of what ``one`` takes as a multiple of ``other``, pair by pair."""
    found = sorted(_seconds(one, before) / _seconds(other, before) for _ in range(rounds))
    return found[0], statistics.median(found), found[-1]


def _seconds(command: Command, before: Callable[[], None]) -> float:
    before()
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, env=ENVIRONMENT)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)} failed:\n{done.stdout.decode()}{done.stderr.decode()}")
    return time.perf_counter() - start


ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextlib.contextmanager
def loop_device(image: Path) -> Iterator[str]:
    """A loop device on a new sparse image."""
    with image.open("wb") as file:
        file.truncate(SIZE)
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True).stdout
    try:
        yield device.strip()
    finally:
        subprocess.run(["losetup", "--detach", device.strip()], check=False)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder, loop_device(Path(folder) / "disk.img") as disk:
        playbook = Path(folder) / "play.yml"
        playbook.write_text(PLAYBOOK)
        subfloor = (sys.executable, "-m", "subfloor")
        check, apply = ((*subfloor, verb, str(playbook), "-e", f"disk={disk}") for verb in ("check", "apply"))

        def blank() -> None:
            subprocess.run(["partx", "--delete", disk], check=False, capture_output=True)
            subprocess.run(["blkdiscard", "--force", disk], check=True, capture_output=True)

        def as_it_is() -> None:
            return

        probes = ("sh", "-c", script(Disk(disk).probes(), "mark"))
        pairs = {
            "apply / script": (apply, ("sh", "-c", BY_HAND, "sh", disk), blank),
            "check / probes": (check, probes, as_it_is),
            "check / python": (check, (sys.executable, "-c", "pass"), as_it_is),
        }
        for name, (one, other, before) in pairs.items():
            if before is as_it_is:
                blank()
                subprocess.run(apply, check=True, capture_output=True)
            least, median, greatest = ratio(one, other, rounds, before)
            print(f"{name:16} {median:6.1f}   ({least:.1f} to {greatest:.1f}, {rounds} pairs)")


if __name__ == "__main__":
    main()
