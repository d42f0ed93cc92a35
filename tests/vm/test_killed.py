"""A run that is killed at any moment is carried on by the next, to the same end, unasked.

Of whole playbooks: with what they mount, bind, swap on and write. The tasks on disks alone are killed at many
more moments on loop devices: `tests/crash/test_killed_on_loops.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counting import Count
from crash.forked import Ran
from crash.killing import Call, Counted, Moment, ends, moments
from crash.sample import everything, sample
from subfloor import vm
from vm.conftest import BLANK

ROOT = Path(__file__).parent.parent.parent
MAIN = ROOT / "playbooks" / "nixos-tmpfs-root.yml"
DISK = "/dev/vdf"
SMALL = ("esp_size=40MiB", "swap=64MiB")
KILLED = {
    MAIN: SMALL,
    ROOT / "playbooks" / "ext4-root.yml": SMALL,
    ROOT / "playbooks" / "data-disk.yml": (f"@{ROOT / 'tests' / 'crash' / 'plays' / 'volumes.yml'}",),
}
"""The ready playbooks, with what makes them small."""

OTHERS = sorted(set((ROOT / "playbooks").glob("*.yml")) - {MAIN})
INSIDE = 1
"""At how many calls of each command each of the three is killed, where all moments are tried."""

SAMPLE = 1
"""How many moments of each playbook are tried between commands, and how many inside, unless all are asked for."""

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


class Guest:
    """The machine in which a playbook is killed."""

    def __init__(self, guest: vm.Machine, playbook: Path) -> None:
        extra = [word for each in (f"disk={DISK}", *KILLED[playbook]) for word in ("-e", each)]
        arguments = [str(playbook), *extra]
        self._guest = guest
        self._job = {
            "apply": ["apply", *arguments],
            "check": ["check", *arguments],
            "blank": f"set -- {DISK}; {BLANK}",
            "state": STATE,
            "every": 1 if everything() else 8,
        }

    def ran(self, *moments: Moment) -> Any:
        """What came of a run that nobody disturbed, or of each that was killed at one of these moments."""
        told = [
            (each.command, (each.call.name, each.call.number) if each.call else None, each.whom) for each in moments
        ]
        program = [sys.executable, str(Path(__file__).with_name("killed_there.py")), json.dumps(self._job)]
        done = self._guest.run(
            [*program, *([json.dumps(told)] if moments else [])],
            timeout=600.0,
            env={"PYTHONPATH": str(ROOT / "tests")},
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)


@pytest.mark.parametrize("playbook", KILLED if everything() else [MAIN], ids=lambda path: path.stem)
def test_killed_at_any_moment_it_is_carried_on_to_the_same_end(guest: vm.Machine, playbook: Path, count: Count) -> None:
    there = Guest(guest, playbook)
    whole = there.ran()
    assert whole["run"]["status"] == 0, whole["run"]
    commands = [
        Counted(tuple(each["argv"]), tuple(Call(*call) for call in each["calls"])) for each in whole["commands"]
    ]
    every = moments(commands, INSIDE)
    inside, between = ([each for each in every if bool(each.call) == within] for within in (True, False))
    chosen = sample(between, SAMPLE, seed=playbook.stem) + sample(inside, SAMPLE, seed=playbook.stem)
    for moment in chosen:
        (came,) = there.ran(moment)
        told = f"{moment}: {' '.join(commands[moment.command - 1].argv)}\n{came}"
        assert came["first"]["status"] == ends(moment, commands), told
        assert (came["again"]["status"], came["check"]["status"]) == (0, 0), told
        assert came["state"] == whole["state"], told
        whom = moment.whom if moment.call else "between"
        count("killed in a virtual machine", f"{playbook.stem}, {whom}: carried on to the same end")


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
