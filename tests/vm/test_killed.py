"""A run that is killed after any of its commands is carried on by the next, to the same end, unasked."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vm.conftest import Ran

ROOT = Path(__file__).parent.parent.parent
PLAYBOOK = str(ROOT / "playbooks" / "nixos-tmpfs-root.yml")
DISK = "/dev/vdf"
ARGUMENTS = (PLAYBOOK, "-e", f"disk={DISK}", "-e", "esp_size=40MiB", "-e", "swap=64MiB")
OTHERS = sorted(set((ROOT / "playbooks").glob("*.yml")) - {Path(PLAYBOOK)})
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
    sh: Callable[..., str], blank: Callable[[str], str], subfloor: Callable[..., list[Ran]]
) -> None:
    blank(DISK)
    apply = ["apply", *ARGUMENTS, "--format", "json"]
    (whole,) = subfloor(apply)
    assert whole.status == 0, whole.stderr
    commands = sum(len(step["commands"]) for task in whole.report["tasks"] for step in task["steps"])
    wanted = sh(STATE)
    for count in places(commands):
        blank(DISK)
        killed, again = subfloor(apply, apply, killed_after=count)
        assert (killed.status, again.status) == (-signal.SIGKILL, 0), f"after {count}: {killed}\n{again}"
        assert sh(STATE) == wanted, f"after {count} commands"
        print(f"killed after command {count} of {commands}: carried on to the same state")


def places(commands: int) -> list[int]:
    """After which commands to kill: every one, or a sample with a fixed seed."""
    everywhere = range(1, commands + 1)
    if os.environ.get("SUBFLOOR_CRASH") == "all":
        return list(everywhere)
    return sorted(random.Random(commands).sample(everywhere, min(SAMPLE, commands)))


@pytest.mark.parametrize("playbook", OTHERS, ids=lambda path: path.stem)
def test_check_says_what_apply_then_does(
    playbook: Path, blank: Callable[[str], str], subfloor: Callable[..., list[Ran]]
) -> None:
    """The same steps, in the same words; and then it is in sync. The main playbook has a file of its own."""
    arguments = [str(playbook), "-e", f"disk={blank('/dev/vda')}", "--format", "json"]
    ran = subfloor(*([command, *arguments] for command in ("check", "apply", "check")))
    assert [each.status for each in ran] == [2, 0, 0], ran
    planned, done, _ = (each.report["tasks"] for each in ran)
    assert list(map(words, planned)) == list(map(words, done))


def words(task: dict[str, Any]) -> list[Any]:
    """What a report says of a task's steps."""
    return [(step["says"], step["commands"], step["destroys"]) for step in task["steps"]]
