"""A disk that is not blank: without consent not one byte of it changes; with consent nothing of it is left.

Also where the run that has consent is killed on the way: then the next one goes on, and asks at most about what
is still somebody else's.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from counting import Count
from crash.bench import READY, SIZE, Bench, bench
from crash.dirty import DIRTY, FILES, Dirty
from crash.killing import Counted, Moment, counted, killed, moments
from crash.sample import everything, sample
from disk_oracle import label_id
from foreign_disks import FOREIGN
from loop_disks import run, said

pytestmark = pytest.mark.root

REFUSED, NEEDS_CONSENT = 3, 5
MAIN = "nixos-tmpfs-root"

PAIRS = [(layout, kind) for kind in DIRTY for layout in READY]
SOME = list(zip(itertools.cycle(READY), (kind for kind in DIRTY if kind not in FOREIGN), strict=False))
"""Each of those that no other test knows, and each playbook in turn.

`tests/disks/test_what_was_on_a_disk.py` has the others.
"""

SOME_CUT = [
    (MAIN, "gpt-with-esp-and-data"),
    (MAIN, "the-same-layout-wiped-by-hand-case-29"),
]


def pairs(some: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """Playbooks with the disks that they are tried on: some, unless all are asked for."""
    return pytest.mark.parametrize(("layout", "kind"), PAIRS if everything() else some)


@pairs(SOME)
def test_a_dirty_disk_is_erased_completely_and_only_with_consent(layout: str, kind: str, count: Count) -> None:
    dirty = DIRTY[kind]
    with bench(READY[layout], SIZE) as made:
        dirty.make(made)
        if dirty.asks:
            untouched(made, dirty)
            count("dirty disks", "refused, not one byte changed")
        done = made.ran("apply", *consent(made, dirty))
        assert done.status == 0, done.said
        whole(made)
        count("dirty disks", "made anew, nothing came back")


def consent(made: Bench, dirty: Dirty) -> tuple[str, ...]:
    return ("--destroy", made.disk.node) if dirty.asks else ()


def untouched(made: Bench, kind: Dirty) -> None:
    """Whatever is run without consent for this very device, it says no and writes nothing."""
    before = made.disk.digest(), made.disk.writes()
    for command in ("check", "apply"):
        said_no = made.ran(command)
        assert said_no.status == NEEDS_CONSENT and f"--destroy {made.disk.node}" in said_no.said, said_no.said
    elsewhere = made.ran("apply", "--destroy", "/dev/no-such-disk")
    assert elsewhere.status == REFUSED and "there is no such device" in elsewhere.said, elsewhere.said
    assert (made.disk.digest(), made.disk.writes()) == before
    assert all(letters == FILES for letters in kind.letters(made.disk))


def whole(made: Bench) -> None:
    """All is there and in sync, and nothing else is: no filesystem, label or file of what was before."""
    made.judge()
    for part in made.layout.parts:
        found = json.loads(said("wipefs", "--json", "--no-act", made.disk.partition(part.number)))["signatures"]
        # wipefs(8) also knows a FAT's boot sector by the mark that an MBR ends with.
        assert {each["type"] for each in found} - {"dos"} == {part.type}, found
        assert {each["label"] for each in found} <= {part.label, None}, found
    assert made.ran("check").status == 0


@pairs(SOME_CUT)
def test_the_next_run_resumes_after_a_kill(layout: str, kind: str, tmp_path: Path, count: Count) -> None:
    image, dirty = tmp_path / "dirty.img", DIRTY[kind]
    with bench(READY[layout], SIZE) as made:
        dirty.make(made)
        run("sync", made.disk.node)
        run("cp", "--sparse=always", made.disk.image, image)
        done, commands = counted(made.command("apply", *consent(made, dirty)))
        assert done.status == 0, done.said
        whole(made)
        wanted, ours = made.portrait(), label_id(made.disk)
    for moment in sample(cuts(layout, commands), 2, seed=f"{layout} {kind}"):
        with bench(READY[layout], SIZE, image) as made:
            run("partx", "--update", "--nr", "1:16", made.disk.node, check=False)
            told = f"{moment}: {' '.join(commands[moment.command - 1].argv)}"
            ended = goes_on(made, moment, dirty, ours, told)
            assert made.portrait() == wanted, told
        count("dirty disks", f"killed on the way, {ended}")
    image.unlink()


def cuts(layout: str, commands: list[Counted]) -> list[Moment]:
    """Until the first partition is finished, after every command and inside; from then on it is as on a blank disk.

    Of the other playbooks, after every command until the disk is labelled ours.
    """
    if layout == MAIN:
        finished = next(number for number, each in enumerate(commands, 1) if "--part-label" in each.argv)
        return moments(commands[:finished], 1, ("both",))
    labelled = next(number for number, each in enumerate(commands, 1) if each.argv[0] == "sfdisk")
    return moments(commands[:labelled], 0)


def goes_on(made: Bench, moment: Moment, dirty: Dirty, ours: str, told: str) -> str:
    """The run that has consent is killed. The next has none: it comes through, or asks about what is not ours yet.

    It has then written nothing. Once the disk is labelled ours it asks no more, though consent is not remembered:
    what an old table led to was emptied where the new partitions are to be. How it ended.
    """
    assert killed(made.command("apply", *consent(made, dirty)), moment).status < 0, told
    before = made.disk.digest()
    again = made.ran("apply")
    if asked := again.status != 0:
        assert dirty.asks and again.status == NEEDS_CONSENT, f"{told}\n{again.said}"
        assert label_id(made.disk) != ours, f"{told}: it asked about our own work\n{again.said}"
        assert made.disk.digest() == before, told
        assert made.ran("apply", *consent(made, dirty)).status == 0, told
    whole(made)
    return f"made anew, {'asked once more' if asked else 'unasked'}"
