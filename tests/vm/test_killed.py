"""A run that is killed after any of its commands is carried on by the next, to the same end, unasked."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
PLAYBOOK = str(ROOT / "playbooks" / "nixos-tmpfs-root.yml")
KILL_AFTER = str(ROOT / "tests" / "crash" / "kill_after.py")
DISK = "/dev/vdf"
ARGUMENTS = (PLAYBOOK, "-e", f"disk={DISK}", "-e", "esp_size=40MiB", "-e", "swap=64MiB")
SAMPLE = 6
"""How many places are tried, unless SUBFLOOR_CRASH=all asks for every one."""

STATE = f"""
sfdisk --dump {DISK}
for n in 1 2 3; do blkid -p -o export {DISK}$n; done
findmnt --noheadings --raw --list -o TARGET,SOURCE,FSROOT,FSTYPE | grep ^/mnt | sort
tail -n +2 /proc/swaps | cut -d' ' -f1
(cd /mnt && find . -xdev | sort; cd /mnt/nix && find . -xdev -not -name lost+found | sort; cat /mnt/etc/nixos/*)
"""


def test_killed_after_each_command_it_converges_to_the_same_state(
    guest: Any, sh: Callable[..., str], blank: Callable[[str], str], subfloor: Callable[..., Any]
) -> None:
    blank(DISK)
    whole = subfloor("apply", *ARGUMENTS, "--format", "json", timeout=300.0)
    assert whole.returncode == 0, whole.stderr.decode()
    (host,) = json.loads(whole.stdout)["hosts"].values()
    commands = sum(len(step["commands"]) for task in host["tasks"] for step in task["steps"])
    wanted = sh(STATE)
    for count in places(commands):
        blank(DISK)
        killed = guest.run([sys.executable, KILL_AFTER, str(count), "apply", *ARGUMENTS], timeout=300.0)
        assert killed.returncode == -9, f"after {count}: {killed.stdout.decode()}{killed.stderr.decode()}"
        again = subfloor("apply", *ARGUMENTS, timeout=300.0)
        assert again.returncode == 0, f"after {count}: {again.stdout.decode()}{again.stderr.decode()}"
        assert sh(STATE) == wanted, f"after {count} commands"


def places(commands: int) -> list[int]:
    """After which commands to kill: every one, or a sample with a fixed seed."""
    everywhere = range(1, commands + 1)
    if os.environ.get("SUBFLOOR_CRASH") == "all":
        return list(everywhere)
    return sorted(random.Random(commands).sample(everywhere, min(SAMPLE, commands)))


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_check_says_what_apply_then_does(
    playbook: Path, blank: Callable[[str], str], subfloor: Callable[..., Any]
) -> None:
    """For every playbook: the same steps, in the same words; and then it is in sync."""
    disk = blank("/dev/vda")
    arguments = (str(playbook), "-e", f"disk={disk}", "--format", "json")
    said = [subfloor(command, *arguments, timeout=300.0) for command in ("check", "apply", "check")]
    assert [run.returncode for run in said] == [2, 0, 0], [run.stdout.decode()[-2000:] for run in said]
    planned, done, _ = (json.loads(run.stdout)["hosts"]["localhost"]["tasks"] for run in said)
    assert list(map(words, planned)) == list(map(words, done))


def words(task: dict[str, Any]) -> list[Any]:
    """What a report says of a task's steps."""
    return [(step["says"], step["commands"], step["destroys"]) for step in task["steps"]]
