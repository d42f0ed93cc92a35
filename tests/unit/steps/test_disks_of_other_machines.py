"""Every machine is the `localhost` of its own: a disk that was laid out on another one is not ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from disk_values import nothing_left
from simple_tasks import AnEntry
from step_values import machine as written
from subfloor.core.consent import Consent
from subfloor.core.engine import decide, imagine, subjects
from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import Machine
from subfloor.core.outcome import Outcome
from subfloor.core.parameters import build
from subfloor.core.task import Task
from subfloor.observe.disk import Disk, DiskState
from subfloor.observe.partuuids import PartuuidNames
from subfloor.playbook.registry import Registry
from subfloor.steps.adoption import adoptions
from subfloor.storage import gpt

ANYWHERE, HERE, THERE = (Identity("seed", "localhost", machine) for machine in ("", "this one", "that one"))
DISK = Disk("/dev/vda")
PLAY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("wipefs", {"device": DISK.path}),
    ("gpt-label", {"device": DISK.path}),
    ("aligned-partition", {"device": DISK.path, "number": 1, "name": "nix", "type": "linux", "size": "rest"}),
    ("mkfs", {"device": "/dev/vda1", "type": "ext4", "label": "nixos"}),
)
_REGISTRY = Registry()


def entries(identity: Identity, *names: str, disk: str = "disk") -> tuple[AnEntry, ...]:
    """The entries of the play for a machine, or those with these keys."""
    chosen = [(key, values) for key, values in PLAY if not names or key in names]
    tasks = tuple(_task(key, values, identity, disk) for key, values in chosen)
    return tuple(AnEntry(task.within(tasks), key=task.key, name=task.key) for task in tasks)


def _task(key: str, values: dict[str, Any], identity: Identity, disk: str) -> Task:
    plugin = _REGISTRY.get(key)
    assert plugin
    return build(plugin.task, {**values, **({"disk": disk} if key in ("wipefs", "gpt-label") else {})}, identity)


def laid_out(identity: Identity) -> Machine:
    """A machine with the disk as the play leaves it there."""
    play = entries(identity)
    blank = written({f"disk {DISK.path}": {"size": "30GiB"}}, subjects(play))
    reports = imagine(play, blank, Consent(), nothing_left)
    assert reports[-1].outcome is Outcome.WOULD_CHANGE
    return reports[-1].steps[-1].step.after


def outcomes(machine: Machine, identity: Identity, *consent: str) -> list[Outcome]:
    play = entries(identity)
    reports = imagine(play, machine, Consent(frozenset(consent)), nothing_left)
    return [report.outcome for report in reports]


def error(machine: Machine, identity: Identity) -> str:
    reports = imagine(entries(identity), machine, Consent(), nothing_left)
    return str(next(report.error for report in reports if report.error))


@pytest.mark.parametrize(
    ("made", "now"),
    [(HERE, HERE), (ANYWHERE, HERE), (ANYWHERE, ANYWHERE), (HERE, ANYWHERE)],
    ids=["the same", "of an earlier version", "unknown", "no longer known"],
)
def test_a_disk_of_this_machine_is_in_sync(made: Identity, now: Identity) -> None:
    assert set(outcomes(laid_out(made), now)) == {Outcome.OK}


def test_a_disk_that_comes_from_another_machine_is_refused_and_says_how_it_is_accepted() -> None:
    machine = laid_out(THERE)
    why = error(machine, HERE)
    assert "laid it out on another machine" in why and "-e subfloor_machine=any" in why
    assert "nixos" in why
    assert outcomes(machine, HERE)[0] is Outcome.REFUSED


def test_with_consent_it_is_laid_out_anew() -> None:
    assert Outcome.REFUSED not in outcomes(laid_out(THERE), HERE, DISK.path)


def test_another_disk_of_that_machine_is_named_by_its_content_alone() -> None:
    """Its name in the play is another one, so this play knows nothing of it."""
    assert "another machine" not in error(laid_out(Identity("other", "localhost", "that one")), HERE)


def test_names_that_were_swapped_are_found_whichever_version_made_the_disks() -> None:
    for made in (HERE, ANYWHERE):
        machine = laid_out(made)
        other = build(_gpt_label(), {"device": DISK.path, "disk": "data"}, HERE)
        both = (other, build(_gpt_label(), {"device": "/dev/vdb"}, HERE))
        with pytest.raises(Refused, match="is the disk “disk” of this play"):
            decide(other.within(both), machine, nothing_left)


def _gpt_label() -> type[Task]:
    plugin = _REGISTRY.get("gpt-label")
    assert plugin
    return plugin.task


def test_an_adoption_keeps_the_label_id_that_is_there() -> None:
    tasks = [entry.task for entry in entries(HERE, "gpt-label", "aligned-partition", "mkfs") if entry.task]
    (adoption,) = adoptions(tasks)
    machine = laid_out(ANYWHERE).with_(PartuuidNames(), ())
    assert decide(adoption, machine, nothing_left) is None


def test_the_label_ids_of_every_version_belong_to_one_disk_of_the_machine() -> None:
    """A second disk is refused under the same name, also if an earlier version laid out the first one."""
    machine = laid_out(HERE)
    disk = machine[DISK]
    assert isinstance(disk, DiskState) and isinstance(disk.table, gpt.Gpt)
    (task,) = (entry.task for entry in entries(HERE, "gpt-label"))
    assert task
    assert {claim.uuid for claim in task.claims(machine)} == {str(HERE.disk("disk")), str(ANYWHERE.disk("disk"))}
    foreign = machine.with_(DISK, replace(disk, table=replace(disk.table, id=THERE.disk("disk"))))
    assert task.claims(foreign) == ()
