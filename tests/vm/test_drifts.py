"""Every drift of the table (`tests/data/drifts`) on a machine that was in sync: what check says, what apply does.

UPDATE_GOLDEN=1 writes what check says into the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from counting import Count
from drift_table import Drift, drifts
from guest_shell import listening
from subfloor import rehearse
from vm.drifting import Checked, Drifting, expected

DRIFTS = list(drifts())

REFUSED = {"refuses": 3, "destroys": 5}


@pytest.fixture(scope="module")
def machines(guest: rehearse.Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drifting]:
    """The guest, as a machine that drifts."""
    with listening(guest) as way:
        yield Drifting(guest, way, tmp_path_factory.mktemp("drifts"))


@pytest.fixture
def machine(drift: Drift, machines: Drifting, blank: Callable[[str], str]) -> Iterator[Drifting]:
    """The machine in sync with the playbook of the drift; made again only if the last test left it otherwise."""
    if machines.in_sync_with != drift.play:
        blank("/dev/vdf")
        machines.converge(drift.play)
    machines.in_sync_with = ""
    yield machines


@pytest.mark.campaign
@pytest.mark.parametrize("drift", DRIFTS, ids=[each.drift for each in DRIFTS])
def test_a_drift_is_reported_and_repaired(drift: Drift, machine: Drifting, count: Count) -> None:
    made = machine.by_hand(drift.make)
    assert made.status == 0, made.said
    checked = machine.checked(drift)
    drift = expected(drift, checked)
    _check_report(drift, checked)
    if drift.apply != "repairs":
        assert machine.applied(drift).status == REFUSED[drift.apply]
        assert machine.checked(drift).text == checked.text, "what is refused changes nothing"
        count("drifts", "refused, or consent missing: nothing changed")
    if drift.then:
        done = machine.by_hand(drift.then)
        assert done.status == 0, done.said
    consent = ("--destroy", drift.consent or "/dev/vda") if drift.apply == "destroys" else ()
    applied, after = machine.applied(drift, *consent), machine.checked(drift)
    assert (applied.status, after.status) == (0, 0), applied.said + after.text
    machine.in_sync_with = "" if drift.disk else drift.play
    count("drifts", "reported exactly, in sync afterwards")


def _check_report(drift: Drift, checked: Checked) -> None:
    assert checked.text == drift.says
    assert checked.differences == drift.json
    assert checked.status == drift.status
    for disk in checked.host["disks"]:
        _check_pictures(checked.page, disk)


def _check_pictures(page: str, disk: dict[str, Any]) -> None:
    """Each disk is drawn as it was found and as it is declared, with all of its partitions."""
    pictures = re.findall(r'<svg class="disk".*?</svg>', page, re.DOTALL)
    for words in ("found", "declared"):
        title = re.compile(rf">{re.escape(disk['path'])}, [^<]*, {words}</title>")
        (picture,) = (each for each in pictures if title.search(each))
        spans = [each for each in disk["found" if words == "found" else "planned"] if each["number"]]
        drawn = re.findall(r"<g><title>(\d+) ([^,<]*), ", picture)
        assert drawn == [(str(each["number"]), each["name"]) for each in spans]
