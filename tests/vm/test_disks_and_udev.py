"""Disks that are pulled out, or hold what nobody knows; udev that is stopped, slow, absent or in the way; and faulty
programs that mount.

What the kernel of the machine that runs the tests cannot do, in a guest: real partitions, links, hot unplugging.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product

import pytest

from counting import Count
from crash.faulty_programs import FAULTS
from crash.forked import Ran
from crash.sample import everything, sample
from places import ROOT
from vm.conftest import Forkserver

PLAYBOOK = str(ROOT / "playbooks" / "nixos-tmpfs-root.yml")
DATA_DISK = str(ROOT / "playbooks" / "data-disk.yml")
SMALL = (
    *("-e", "esp_size=40MiB", "-e", "swap=16MiB", "-e", 'state_version="25.11"', "-e", "boot_loader=systemd-boot"),
    *("-e", "persist=[/etc/nixos, /var/log]", "-e", "self_check=none"),
)

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]


def words(disk: str, *more: str) -> list[str]:
    return ["apply", PLAYBOOK, "-e", f"disk={disk}", *SMALL, *more]


# Pulled out.

UNPLUG = """
d=$(readlink -f /sys/block/{0}/device)
while [ ! -e "$d/remove" ]; do d=${{d%/*}}; done
echo 1 > "$d/remove"
"""
PLUG_IN = "echo 1 > /sys/bus/pci/rescan; udevadm settle; test -b /dev/{0}"


@pytest.mark.parametrize("name", sample(["nvme0n1", "vdg"], 1, seed="pulled out"))
def test_a_removed_disk_is_reported_and_the_run_resumes_once_it_is_back(
    name: str, forkserver: Forkserver, blank: Blank
) -> None:
    disk = blank(f"/dev/{name}")
    arguments = words(disk, "--tags", "disk", "-e", "swap=0")
    for number in sample(range(1, 20), 1, seed=name):
        out, gone, _, again, found = forkserver(
            {"run": arguments, "before": number, "sh": UNPLUG.format(name)},
            {"run": arguments},
            {"sh": PLUG_IN.format(name)},
            {"run": arguments},
            {"sh": f"sfdisk --verify {disk}; blkid -p {disk}*1"},
        )
        assert out["status"] == 1 and "→" in out["said"] and "Traceback" not in out["said"], out
        assert gone["status"] == 3 and f"there is no device {disk}" in gone["said"], gone
        assert again["status"] == 0, (number, again)
        assert found["status"] == 0 and 'TYPE="vfat"' in found["said"], found


# udev.

BY_ID = "/dev/disk/by-id/virtio-SMALL-1"
DISK = "/dev/vdf"
UDEVD = "pgrep -f '[s]ystemd-udevd'"
SLOW = r"""
mkdir -p /run/udev/rules.d
printf '%s\n' 'SUBSYSTEM=="block", KERNEL=="vdf*", PROGRAM="/bin/sleep 0.3"' > /run/udev/rules.d/00-slow.rules
udevadm control --reload
"""
HOLDING = r"""
mkdir -p /run/udev/rules.d
printf '#!/bin/sh\nexec 9<"$1"; sleep 0.3\n' > /run/hold; chmod 755 /run/hold
printf '%s\n' 'SUBSYSTEM=="block", KERNEL=="vdf?*", PROGRAM="/run/hold $devnode"' > /run/udev/rules.d/00-hold.rules
udevadm control --reload
"""
START = "for u in /usr/lib/systemd/systemd-udevd /lib/systemd/systemd-udevd; do [ ! -x $u ] || break; done; $u --daemon"
UDEV: dict[str, tuple[str, str]] = {
    "stopped": (f"kill -STOP $({UDEVD})", f"kill -CONT $({UDEVD})"),
    "slow": (SLOW, "rm /run/udev/rules.d/*; udevadm control --reload"),
    "holding": (HOLDING, "rm /run/udev/rules.d/*; udevadm control --reload"),
    "absent": ("udevadm control --exit", f"{START}; udevadm trigger --action=add --subsystem-match=block"),
}
"""What is the matter with udev: how it comes about, and how it is mended."""


@pytest.fixture
def mend(sh: Sh) -> Iterator[Callable[[str], None]]:
    """Something to be run in the guest at the end, whatever happens."""
    scripts: list[str] = []
    yield scripts.append
    for script in scripts:
        sh(f"{script}; udevadm settle")


@pytest.mark.campaign
@pytest.mark.parametrize("how", UDEV if everything() else ["absent"])
def test_nothing_depends_on_udev_case_55(
    how: str, forkserver: Forkserver, blank: Blank, sh: Sh, mend: Callable[[str], None]
) -> None:
    """Links to the partitions come late, or never; the disk is named by a link, which is there already."""
    blank(DISK)
    wrong, right = UDEV[how]
    mend(right)
    sh(wrong)
    ran, found = forkserver(
        {"run": words(BY_ID)}, {"sh": "sfdisk --verify /dev/vdf; findmnt -rno TARGET | grep ^/mnt; cat /proc/swaps"}
    )
    assert ran["status"] == 0, ran
    assert {"/mnt", "/mnt/boot", "/mnt/nix", "/mnt/etc/nixos", "/dev/vdf2"} <= set(found["said"].split()), found
    assert "No errors detected" in found["said"]


def test_a_disk_named_by_a_missing_link_is_refused_case_18(forkserver: Forkserver, blank: Blank) -> None:
    blank(DISK)
    ran, found = forkserver({"run": words("/dev/disk/by-id/virtio-NONE-1")}, {"sh": "wipefs --no-act --json /dev/vdf"})
    assert ran["status"] == 3 and "there is no device" in ran["said"] and DISK in ran["said"], ran
    assert '"type"' not in found["said"]


# What no program knows, and what only the kernel knows.

HOME = json.dumps([{"name": "home", "label": "home", "type": "ext4", "size": "rest", "path": "/srv/home"}])
RANDOM = """
for at in 0 $(($(blockdev --getsize64 "$1") / 4096 - 4)); do
    dd if=/dev/urandom of="$1" bs=4096 seek="$at" count=4 conv=fsync status=none
done
"""
STRAY = """
printf '%s\n' 'label: gpt' 'size=8MiB' 'size=8MiB' 'size=8MiB' | sfdisk --quiet "$1"
blkdiscard -f "$1"
"""


def test_unknown_data_needs_consent(subfloor: Subfloor, blank: Blank, sh: Sh) -> None:
    """Random bytes at both ends, as on a disk that is encrypted without a header."""
    disk = blank("/dev/vdg")
    arguments = [DATA_DISK, "-e", f"disk={disk}", "-e", f"volumes={HOME}"]
    sh(RANDOM, disk)
    before = sh('sha256sum "$1"', disk)
    for ran in subfloor(["check", *arguments], ["apply", *arguments]):
        assert ran.status == 5 and f"--destroy {disk}" in ran.said, ran
    assert sh('sha256sum "$1"', disk) == before
    (done,) = subfloor(["apply", *arguments, "--destroy", disk])
    assert done.status == 0, done
    assert "No errors detected" in sh('sfdisk --verify "$1"', disk)
    assert sh("findmnt -no SOURCE,FSTYPE /srv/home").split() == [f"{disk}1", "ext4"]


USED = {
    "gpt": """
printf 'label: gpt\\n,1G\\n,,\\n' | sfdisk -q "$1"; udevadm settle
mkfs.ext4 -q -F "$1"*1; mkfs.btrfs -q -f "$1"*2; udevadm settle
""",
    "mbr": """
printf 'label: dos\\n,200M,c\\n,,5\\n,300M\\n,,\\n' | sfdisk -q "$1"; udevadm settle
mkfs.fat "$1"*1 >/dev/null; mkfs.xfs -q -f "$1"*5; mkswap -q "$1"*6; udevadm settle
""",
}
"""Disks that another installation has used."""


@pytest.mark.parametrize(("table", "name"), sample([*product(USED, ("vdb", "vdc", "nvme0n1"))], 1, seed="used"))
def test_a_used_disk_is_laid_out_again_by_the_first_run(
    table: str, name: str, subfloor: Subfloor, blank: Blank, sh: Sh
) -> None:
    """udev makes the kernel read the table again as soon as it is erased, so the partitions are gone already."""
    disk = blank(f"/dev/{name}")
    sh(USED[table], disk)
    arguments = [DATA_DISK, "-e", f"disk={disk}", "-e", f"volumes={HOME}"]
    refused, done, again = subfloor(
        ["apply", *arguments], ["apply", *arguments, "--destroy", disk], ["check", *arguments]
    )
    assert refused.status == 5, refused
    assert (done.status, again.status) == (0, 0), (done, again)
    assert sh('lsblk -nro FSTYPE,LABEL "$1"', disk).split() == ["ext4", "home"]


def test_partitions_that_only_the_kernel_has_are_removed_from_it(
    subfloor: Subfloor, blank: Blank, sh: Sh, mend: Callable[[str], None]
) -> None:
    """The table was erased without the kernel's knowledge, and udev, which would update it, does not run."""
    disk = blank("/dev/vdg")
    sh("udevadm settle")
    wrong, right = UDEV["stopped"]
    mend(right)
    sh(wrong)
    sh(STRAY, disk)
    assert sh("cd /sys/block/vdg; echo vdg?").split() == ["vdg1", "vdg2", "vdg3"]
    (done,) = subfloor(["apply", DATA_DISK, "-e", f"disk={disk}", "-e", f"volumes={HOME}"])
    assert done.status == 0, done
    assert sh("cd /sys/block/vdg; echo vdg?").split() == ["vdg1"]
    assert sh('lsblk -nro SIZE "$1"1; findmnt -no SOURCE /srv/home', disk).split() == ["62M", f"{disk}1"]


# Faulty programs, in what only a whole kernel can do: to mount everything, and use swap.

UNMOUNT = "swapoff -a; rm -f /mnt/etc/nixos/*; while mountpoint -q /mnt; do umount -R /mnt; done"
STATE = f"""
sfdisk --dump {DISK}
findmnt -rno TARGET,SOURCE,FSROOT,FSTYPE | grep ^/mnt | sort
tail -n +2 /proc/swaps | cut -d' ' -f1
(cd /mnt && find . -xdev | sort; cd /mnt/nix && find . -xdev -not -name lost+found | sort; cat /mnt/etc/nixos/*)
"""
FOR_MOUNTS = [fault.name for fault in FAULTS if not fault.half]


@pytest.mark.campaign
def test_a_rerun_succeeds_after_faulty_programs_that_mount_or_write_files_case_56(
    forkserver: Forkserver, blank: Blank, count: Count
) -> None:
    """From what a reboot leaves: everything is made, and nothing is mounted. The configuration is to be written too."""
    blank(DISK)
    run = {"run": [*words(DISK), "--format", "json"]}
    first, _, whole, state = forkserver(run, {"sh": UNMOUNT}, run, {"sh": STATE})
    assert (first["status"], whole["status"], state["status"]) == (0, 0, 0), (first, whole, state)
    tasks = json.loads(whole["said"])["hosts"]["localhost"]["tasks"]
    commands = [command for task in tasks for step in task["steps"] for command in step["commands"]]
    every = [(number, fault) for number in range(1, len(commands) + 1) for fault in FOR_MOUNTS]
    # A program that hangs takes its whole time limit: those are tried by `make crash`.
    chosen = [each for each in sample(every, 2, seed="mounts") if everything() or each[1] != "hangs"]
    broken = [{"run": words(DISK), "number": number, "fault": fault} for number, fault in chosen]
    each = [[{"sh": UNMOUNT}, action, {"run": words(DISK)}, {"sh": STATE}] for action in broken]
    results = forkserver(*(action for actions in each for action in actions))
    wrong = []
    for index, at in enumerate(chosen):
        unmounted, ran, again, found = results[4 * index : 4 * index + 4]
        clear = ran["status"] == 0 or (ran["status"] == 1 and "→" in ran["said"] and "resume with:" in ran["said"])
        right = (unmounted["status"], again["status"], found["said"]) == (0, 0, state["said"])
        wrong += [] if clear and right else [(at, commands[at[0] - 1], unmounted, ran, again, found)]
        count("faulty programs in a guest", "carried on from, to the same end" if clear and right else "wrong")
    assert not wrong, wrong
