"""One cause is reported once, and what depends on it names it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from simple_tasks import AnEntry, Count
from subfloor.act.causes import with_causes
from subfloor.core.contributions import Contribution, EncryptedDevice, FileSystem
from subfloor.core.errors import ConsentNeeded, NotVisible, Refused, SubfloorError
from subfloor.core.machine import AnySubject
from subfloor.core.outcome import HostOutcome, HostReport, Outcome, Repair, TaskReport
from subfloor.observe.disk import Disk

GONE = Refused("there is no device /dev/vdz", advice="name another disk")


@dataclass(frozen=True, kw_only=True)
class Partition(Count):
    """A task that names a partition."""

    device: str = "/dev/vda"
    number: int = 3


@dataclass(frozen=True, kw_only=True)
class Mounts(Count):
    """A task that names a partition by its path, and makes something visible."""

    device: str = "/dev/vda3"
    at: str = "/mnt"

    def contributes(self) -> tuple[Contribution, ...]:
        return (FileSystem(self.at, self.device, "ext4"),)


def linked(*tasks: tuple[Count, SubfloorError | None]) -> list[TaskReport]:
    entries = [AnEntry(task, name=str(at)) for at, (task, _) in enumerate(tasks)]
    return list(with_causes(entries, [reported(str(at), error) for at, (_, error) in enumerate(tasks)]))


def reported(name: str, error: SubfloorError | None) -> TaskReport:
    outcomes = {Refused: Outcome.REFUSED, ConsentNeeded: Outcome.REFUSED, NotVisible: Outcome.NOT_VISIBLE}
    return TaskReport(name, "count", outcomes.get(type(error), Outcome.OK), error=error)  # type: ignore[arg-type]


def test_errors_with_the_same_text_have_one_cause() -> None:
    first, second, third = linked((Count(), GONE), (Count(path="/b"), None), (Count(path="/c"), GONE))
    assert (first.cause, second.cause, third.cause) == ("", "", "0")
    assert first.stops == ("2",) and third.repeats
    assert (first.repair, second.repair, third.repair) == (Repair.PERSON, Repair.NONE, Repair.BLOCKED)


def test_a_task_is_blocked_by_the_task_that_makes_its_partition_or_mount() -> None:
    no_room, no_partition = Refused("no room", advice="less"), Refused("no partition 3", advice="make one")
    hidden = NotVisible("/mnt/etc is not visible", advice="mount it")
    found = linked(
        (Partition(), no_room),
        (Mounts(), no_partition),
        (Count(path="/mnt/etc"), hidden),
        (Count(path="/elsewhere"), replace_words(hidden)),
        (Partition(number=4), replace_words(no_room)),
    )
    assert [each.cause for each in found] == ["", "0", "0", "", ""]
    assert found[0].stops == ("1", "2")


@dataclass(frozen=True, kw_only=True)
class Opens(Count):
    """A task that makes a container appear."""

    device: str = "/dev/vda2"

    def contributes(self) -> tuple[Contribution, ...]:
        return (EncryptedDevice("crypt", self.device),)


def test_a_task_in_a_container_is_blocked_by_the_task_that_opens_it() -> None:
    closed, nothing = Refused("no key", advice="give one"), Refused("there is no /dev/mapper/crypt", advice="open it")
    inside, other = Mounts(device="/dev/mapper/crypt"), Mounts(device="/dev/mapper/other", at="/srv")
    found = linked((Opens(), closed), (inside, nothing), (other, replace_words(nothing)))
    assert [each.cause for each in found] == ["", "0", ""]


@dataclass(frozen=True, kw_only=True)
class Table(Count):
    """A task that lays out a whole disk."""

    device: str = "/dev/vda"

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Disk(self.device)})


def test_a_task_on_a_disk_is_blocked_by_the_task_that_lays_it_out() -> None:
    in_use, other = Refused("/dev/vda is in use", advice="unmount it"), Refused("not ours", advice="choose another")
    found = linked((Table(), in_use), (Partition(), other), (Mounts(), other), (Partition(device="/dev/vdb"), None))
    assert [each.cause for each in found] == ["", "0", "0", ""]


def test_a_planned_change_on_blocked_content_is_blocked_too() -> None:
    """It is planned from what is there now, such as another system's partition."""
    entries = [AnEntry(task, name=str(at)) for at, task in enumerate((Partition(), Mounts(), Count(path="/mnt/a")))]
    changes = [TaskReport(name, "count", Outcome.WOULD_CHANGE) for name in ("1", "2")]
    found = with_causes(entries, [reported("0", Refused("no room", advice="less")), *changes])
    assert [each.cause for each in found] == ["", "0", "0"]
    assert found[1].repair is Repair.BLOCKED and found[1].outcome is Outcome.WOULD_CHANGE


@dataclass(frozen=True, kw_only=True)
class Odd(Count):
    """A plugin's task whose `device` and `number` are something else."""

    device: Any = field(default_factory=lambda: {"of": ["a", "kind"]})
    number: Any = "third"


def test_parameters_of_these_names_may_mean_something_else() -> None:
    no, nor = Refused("no", advice="yes"), Refused("nor", advice="this")
    assert [each.cause for each in linked((Odd(), no), (Odd(), nor), (Table(), nor))] == ["", "", "1"]


def replace_words(error: SubfloorError) -> SubfloorError:
    return type(error)(f"another time: {error.what}", advice=error.advice)


def test_missing_consent_blocks_no_other_task() -> None:
    """The plan continues as if consent were given: each loss has its own consent."""
    asks = ConsentNeeded("this would destroy", advice="--destroy /dev/vda")
    assert [each.cause for each in linked((Partition(), asks), (Mounts(), asks))] == ["", ""]


def test_a_host_needs_a_person_unless_consent_is_all_that_is_missing() -> None:
    asks, no = (reported("x", error) for error in (ConsentNeeded("a", advice="b"), GONE))
    assert HostReport("h", (asks,)).outcome is HostOutcome.NEEDS_CONSENT
    assert HostReport("h", (asks, no)).outcome is HostOutcome.REFUSED
    assert HostReport("h", (asks, replace(no, outcome=Outcome.FAILED))).outcome is HostOutcome.FAILED
