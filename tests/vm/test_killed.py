"""A run that is killed at any moment is carried on by the next, to the same end, unasked.

Of what the playbooks mount, bind, swap on and write, from a disk that is laid out. What lays it out is killed at many
more moments on loop devices: `tests/crash/test_killed_on_loops.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counting import Count
from crash.forked import Ran
from places import ROOT
from vm.conftest import UNMOUNT, Forkserver
from vm.kills import rerun_after_every_kill

MAIN = ROOT / "playbooks" / "nixos-tmpfs-root.yml"
DISK = "/dev/vdf"
SMALL = ("esp_size=40MiB", "swap=64MiB")
KILLED = {
    MAIN: (
        *SMALL,
        'state_version="25.11"',
        "boot_loader=systemd-boot",
        "self_check=none",
        'persist=[/etc/nixos, {path: /var/log, mode: "0700"}]',
    ),
    ROOT / "playbooks" / "ext4-root.yml": SMALL,
    ROOT / "playbooks" / "data-disk.yml": (f"@{ROOT / 'tests' / 'crash' / 'plays' / 'volumes.yml'}",),
}
"""The ready playbooks, with what makes them small."""

OTHERS = sorted(set((ROOT / "playbooks").glob("*.yml")) - {MAIN})
LAID_OUT = f"""
set -- {DISK}; {UNMOUNT}
for n in 1 2 3; do
    [ "$(blkid -po value -s USAGE {DISK}$n)" = filesystem ] || continue
    mkdir -p /run/emptied && mount {DISK}$n /run/emptied || exit 1
    find /run/emptied -xdev -mindepth 1 -not -name lost+found -delete
    umount /run/emptied || exit 1
done
"""
"""Back to a disk that is laid out and empty, of which nothing is mounted."""

STATE = f"""
sfdisk --dump {DISK}
for n in 1 2 3; do blkid -p -o export {DISK}$n | grep -v UUID_SUB; done
findmnt -rno TARGET,SOURCE,FSROOT,FSTYPE | grep -E '^/(mnt|srv)' | sort
tail -n +2 /proc/swaps | cut -d' ' -f1
for at in /mnt /mnt/nix /srv/home /srv/media /srv/backup; do
    ! mountpoint -q $at || (cd $at && find . -xdev -not -name lost+found | sort)
done
[ ! -d /mnt/etc/nixos ] || grep -r ^ /mnt/etc/nixos | sort
"""


@pytest.mark.campaign
@pytest.mark.parametrize("playbook", KILLED, ids=lambda path: path.stem)
def test_a_rerun_after_a_kill_at_any_moment_has_the_same_result(
    playbook: Path, forkserver: Forkserver, blank: Callable[[str], str], count: Count
) -> None:
    arguments = [str(playbook), *(word for each in (f"disk={blank(DISK)}", *KILLED[playbook]) for word in ("-e", each))]
    (laid,) = forkserver({"run": ["apply", *arguments, "--tags", "disk"]})
    assert laid["status"] == 0, laid
    rerun_after_every_kill(forkserver, arguments, [LAID_OUT], STATE, count, playbook.stem, inside=1)


@pytest.mark.campaign
@pytest.mark.parametrize("playbook", OTHERS, ids=lambda path: path.stem)
def test_a_check_plans_the_steps_that_apply_takes(
    playbook: Path, blank: Callable[[str], str], subfloor: Callable[..., list[Ran]]
) -> None:
    """The same steps, in the same words; and then it is in sync. The main playbook has a file of its own."""
    extra = ["-e", "passphrase=secret", "-e", "state_version=25.11", "-e", "boot_loader=systemd-boot"]
    extra += ["-e", "pbkdf=pbkdf2", "-e", "pbkdf_iterations=1000"]
    more = extra if "luks" in playbook.stem else []
    arguments = [str(playbook), "-e", f"disk={blank('/dev/vda')}", *more, "--format", "json"]
    ran = subfloor(*([command, *arguments] for command in ("check", "apply", "check")))
    assert [each.status for each in ran] == [2, 0, 0], ran
    planned, done, _ = (each.report["tasks"] for each in ran)
    assert list(map(words, planned)) == list(map(words, done))


def words(task: dict[str, Any]) -> list[Any]:
    """What a report says of a task's steps."""
    return [(step["says"], step["commands"], step["destroys"]) for step in task["steps"]]
