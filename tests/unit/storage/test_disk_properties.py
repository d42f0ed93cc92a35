"""Laying out disks, from any machine that a generator can make: it ends, resumes, and asks before it destroys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from subfloor_plugins.aligned_partition import AlignedPartition
from subfloor_plugins.gpt_label import GptLabel
from subfloor_plugins.mkfs import Mkfs
from subfloor_plugins.wipefs import Wipefs

from disk_values import nothing_left
from simple_tasks import AnEntry
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine
from subfloor.core.identity import Identity
from subfloor.core.machine import Machine
from subfloor.core.outcome import Outcome, TaskReport
from subfloor.core.task import Task
from subfloor.observe.disk import Content, Disk, DiskState, Limits, OtherTable, PartitionState
from subfloor.observe.filesystem_size import FilesystemSize, SizeOn
from subfloor.storage import gpt

VDA = "/dev/vda"
IDENTITY = Identity("seed", "host")
CONSENT = Consent(frozenset({VDA}))


def layout() -> tuple[AnEntry, ...]:
    tasks: tuple[Task, ...] = (
        Wipefs(device=VDA, identity=IDENTITY),
        GptLabel(device=VDA, identity=IDENTITY),
        AlignedPartition(device=VDA, number=1, name="ESP", type="esp", size="512MiB", identity=IDENTITY),
        AlignedPartition(device=VDA, number=2, name="swap", type="swap", size="1GiB", identity=IDENTITY),
        AlignedPartition(device=VDA, number=3, name="nix", type="linux", size="rest", identity=IDENTITY),
        Mkfs(device="/dev/vda1", type="vfat", label="boot", identity=IDENTITY),
        Mkfs(device="/dev/vda2", type="swap", label="swap", identity=IDENTITY),
        Mkfs(device="/dev/vda3", type="ext4", label="nixos", identity=IDENTITY),
    )
    return tuple(AnEntry(task.within(tasks), key=task.key) for task in tasks)


def machines_on_the_way(machine: Machine, reports: tuple[TaskReport, ...]) -> Iterator[Machine]:
    """The machine before each step, and after the last: what a crash between two steps leaves."""
    yield machine
    for report in reports:
        for taken in report.steps:
            yield taken.step.after


def _disk(machine: Machine) -> DiskState:
    seen = machine[Disk(VDA)]
    assert isinstance(seen, DiskState)
    return seen


def looked_at(disk: DiskState) -> Machine:
    """A machine with this disk; the sizes of its filesystems are unknown."""
    subjects = (each for entry in layout() if entry.task for each in entry.task.subjects())
    return Machine({each: FilesystemSize() for each in subjects if isinstance(each, SizeOn)}).with_(Disk(VDA), disk)


def outcomes(reports: tuple[TaskReport, ...]) -> set[Outcome]:
    return {report.outcome for report in reports}


contents = st.none() | st.builds(
    Content,
    type=st.sampled_from(["ext4", "vfat", "swap", "crypto_LUKS", "ntfs", "LVM2_member", "ambivalent"]),
    label=st.sampled_from(["", "boot", "nixos", "swap", "photos"]),
    uuid=st.sampled_from(["", "ABCD-1234", "00000000-0000-0000-0000-000000000001"]),
)
limits = st.sampled_from(
    [Limits(), Limits(4096, 4096, 4096), Limits(512, 4096, 4096, 33553920), Limits(512, 512, 65536, 1572864)]
)


@st.composite
def disks(draw: st.DrawFn) -> DiskState:
    """Any disk: blank, foreign in every way, or ours at some point of the way, then meddled with."""
    size = draw(st.sampled_from([1 << 20, 2 << 30, 8 << 30, 30 << 30, 3 << 40]))
    disk = DiskState(VDA, size, draw(limits))
    kind = draw(st.sampled_from(["blank", "whole", "dos", "foreign", "ours"]))
    if kind == "whole":
        disk = replace(
            disk, signatures=tuple(draw(st.sets(st.sampled_from(["ext4", "crypto_LUKS", "zfs_member"]), min_size=1)))
        )
    elif kind == "dos":
        disk = replace(
            disk, table=OtherTable("dos", 1), signatures=("dos",), volumes=(PartitionState(1, draw(contents)),)
        )
    elif kind == "foreign":
        disk = _with_table(disk, UUID(int=9), draw)
    elif kind == "ours":
        disk = _on_the_way(disk, draw)
    return _meddled(disk, draw)


def _with_table(disk: DiskState, label: UUID, draw: st.DrawFn) -> DiskState:
    numbers = draw(st.sets(st.integers(1, 5)))
    table = gpt.blank(label, disk.sectors, disk.limits.sector)
    entries = tuple(
        gpt.Entry(n, 4096 * n, 2048, UUID(int=7), UUID(int=n), draw(st.sampled_from(["", "ESP", "data"])))
        for n in sorted(numbers)
    )
    volumes = tuple(PartitionState(entry.number, draw(contents)) for entry in entries)
    return replace(disk, table=replace(table, entries=entries), volumes=volumes)


def _on_the_way(disk: DiskState, draw: st.DrawFn) -> DiskState:
    machine = looked_at(disk)
    stages = list(machines_on_the_way(machine, imagine(layout(), machine, CONSENT, nothing_left)))
    return _disk(draw(st.sampled_from(stages)))


def _meddled(disk: DiskState, draw: st.DrawFn) -> DiskState:
    if not isinstance(disk.table, gpt.Gpt):
        return disk
    if draw(st.booleans()):
        disk = replace(disk, table=replace(disk.table, damage=frozenset({"backup table"})))
    changed = []
    for volume in disk.volumes:
        meddling = draw(st.sampled_from(["", "", "", "content", "forgotten", "in use"]))
        if meddling == "content":
            volume = replace(volume, content=draw(contents))
        elif meddling == "forgotten":
            volume = replace(volume, known=False)
        elif meddling == "in use":
            volume = replace(volume, in_use=True, users=("mounted at /x",))
        changed.append(volume)
    return replace(disk, volumes=tuple(changed))


STOPPED = {Outcome.REFUSED, Outcome.FAILED, Outcome.NOT_VISIBLE}


@settings(max_examples=400, deadline=None)
@given(disks())
def test_from_any_disk_a_play_ends_and_a_rerun_has_nothing_to_do(disk: DiskState) -> None:
    machine = looked_at(disk)
    reports = imagine(layout(), machine, CONSENT, nothing_left)
    assert Outcome.FAILED not in outcomes(reports)
    if not outcomes(reports) & STOPPED:
        *_, end = machines_on_the_way(machine, reports)
        assert outcomes(imagine(layout(), end, Consent(), nothing_left)) == {Outcome.OK}


@settings(max_examples=200, deadline=None)
@given(disks())
def test_from_every_prefix_a_rerun_reaches_the_same_end_without_further_consent(disk: DiskState) -> None:
    machine = looked_at(disk)
    reports = imagine(layout(), machine, CONSENT, nothing_left)
    if outcomes(reports) & STOPPED:
        return
    stages = list(machines_on_the_way(machine, reports))
    destroying = [i for i, t in enumerate([t for r in reports for t in r.steps]) if t.step.destroys]
    for stage in stages[max(destroying, default=-1) + 1 :]:
        again = imagine(layout(), stage, Consent(), nothing_left)
        assert not outcomes(again) & STOPPED
        assert list(machines_on_the_way(stage, again))[-1] == stages[-1]


@settings(max_examples=400, deadline=None)
@given(disks())
def test_foreign_data_is_never_destroyed_without_consent(disk: DiskState) -> None:
    """No step before the first that lacks consent changes anything that was there."""
    machine = looked_at(disk)
    for report in imagine(layout(), machine, Consent(), nothing_left):
        for taken in report.steps:
            before = disk
            after = _disk(taken.step.after)
            if taken.step.destroys:
                assert report.outcome is Outcome.REFUSED
                return
            assert _holds_all_of(after, before)


def _holds_all_of(after: DiskState, before: DiskState) -> bool:
    """Whether everything finished, or foreign, is still there: entries and contents."""
    entries = before.table.entries if isinstance(before.table, gpt.Gpt) else ()
    for entry in entries:
        volume, now = before.volume(entry.number), after.volume(entry.number)
        there = after.entry(entry.number)
        if entry.name.endswith(".unfinished") and entry.uuid.version == 5:
            continue
        if there is None or there.uuid != entry.uuid or there.start != entry.start or there.size < entry.size:
            return False
        if volume and now and isinstance(volume.content, Content):
            if not isinstance(now.content, Content):
                return False
            if (volume.content.type, volume.content.uuid) != (now.content.type, now.content.uuid):
                return False
    return isinstance(before.table, gpt.Gpt) or set(before.signatures) <= set(after.signatures)


@settings(max_examples=200, deadline=None)
@given(disks())
def test_a_device_in_use_is_never_destroyed_with_or_without_consent(disk: DiskState) -> None:
    machine = looked_at(disk)
    used = {volume.number: volume.content for volume in disk.volumes if volume.in_use}
    for stage in machines_on_the_way(machine, imagine(layout(), machine, CONSENT, nothing_left)):
        seen = _disk(stage)
        for number, content in used.items():
            volume = seen.volume(number)
            assert volume is not None
            if isinstance(content, Content) and isinstance(volume.content, Content):
                assert (content.type, content.uuid) == (volume.content.type, volume.content.uuid)
