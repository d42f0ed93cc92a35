"""A disk that is not blank: without consent not one byte of it changes; with consent nothing of it is left.

Also where the run that has consent is killed on the way: then the next one goes on, and asks at most about what
is still somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest

from crash.bench import READY, SIZE, Bench, bench
from crash.conftest import Count
from crash.dirty import DIRTY, FILES, Dirty
from crash.sample import sample
from loop_disks import said

pytestmark = pytest.mark.root

REFUSED = 3
INSIDE = 1
"""At how many calls of each command each of the three is killed, in the whole campaign."""

PAIRS = [(layout, kind) for kind in DIRTY for layout in READY]
SOME = [pair for index, pair in enumerate(PAIRS) if index % 4 == 0]
"""Every kind of disk at least once, and each playbook with a third of them."""


def pairs(some: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return PAIRS if sample([0, 1], 1, seed="") == [0, 1] else list(some)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Bench, Dirty]]:
    """A bench with a dirty disk on it."""
    layout, kind = request.param
    with bench(READY[layout], SIZE) as made:
        DIRTY[kind].make(made)
        yield made, DIRTY[kind]


dirty = pytest.mark.parametrize("place", pairs(SOME), ids="-".join, indirect=True)


@dirty
def test_it_goes_with_consent_only_and_then_wholly(place: tuple[Bench, Dirty], count: Count) -> None:
    made, kind = place
    if kind.asks:
        untouched(made, kind)
        count("dirty disks", "refused, not one byte changed")
    done = made.ran("apply", *(("--destroy", made.disk.node) if kind.asks else ()))
    assert done.status == 0, done
    whole(made)
    count("dirty disks", "made anew, nothing came back")


def untouched(made: Bench, kind: Dirty) -> None:
    """Whatever is run without consent for this very device, it says no and writes nothing."""
    before = made.disk.digest(), made.disk.writes()
    for command, more in (("check", ()), ("apply", ()), ("apply", ("--destroy", "/dev/sdz"))):
        said_no = made.ran(command, *more)
        assert said_no.status == REFUSED and f"--destroy {made.disk.node}" in said_no.said, said_no
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
