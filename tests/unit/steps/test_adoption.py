"""A layout made elsewhere is taken over as it is, or what differs is reported; then its content counts as ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from adopting_values import FOREIGN, OTHER, PART, PLAY, adoption, seen, tasks
from disk_values import nothing_left
from subfloor.core.engine import decide, warnings
from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.observe.disk import Content, Disk, DiskState
from subfloor.observe.partuuids import FIRMWARE, Naming
from subfloor.storage.gpt import Gpt


def stamped(machine: Machine) -> Machine:
    step = decide(adoption(), machine, nothing_left)
    assert step is not None and not step.destroys
    return machine.updated(step.after)


def disk_of(machine: Machine) -> DiskState:
    found = machine[Disk("/dev/vda")]
    assert isinstance(found, DiskState)
    return found


def table_of(machine: Machine) -> Gpt:
    table = disk_of(machine).table
    assert isinstance(table, Gpt)
    return table


def test_only_uuids_of_the_table_change_and_the_disk_is_ours_last() -> None:
    before = seen()
    step = decide(adoption(), before, nothing_left)
    assert step is not None and step.locks == ("/dev/vda",)
    assert [command.argv[4] for command in step.commands] == ["--part-uuid", "--part-uuid", "--disk-id"]
    old, new = disk_of(before), disk_of(before.updated(step.after))
    assert isinstance(old.table, Gpt) and isinstance(new.table, Gpt)
    uuids = {entry.number: entry.uuid for entry in old.table.entries}
    back = tuple(replace(entry, uuid=uuids[entry.number]) for entry in new.table.entries)
    assert replace(new, table=replace(new.table, id=old.table.id, entries=back)) == old
    assert {entry.uuid.version for entry in new.table.entries} == {8}


def test_nothing_is_left_to_do_for_the_play() -> None:
    after = stamped(seen())
    assert decide(adoption(), after, nothing_left) is None
    assert [decide(task, after, nothing_left) for task in tasks()] == [None] * len(PLAY)
    claimed = {claim.uuid for task in tasks() for claim in task.claims(after)}
    assert {"abc", "def", str(table_of(after).id)} < claimed


def test_another_filesystem_of_the_same_type_and_label_is_drift() -> None:
    disk = disk_of(stamped(seen()))
    volume = disk.volume(1)
    assert volume
    replaced = disk.with_volume(replace(volume, content=Content("ext4", "nixos", "another")))
    step = decide(tasks()[2], Machine({Disk("/dev/vda"): replaced}), nothing_left)
    assert step is not None and "finished once" in step.destroys[0].what


def test_what_was_taken_over_is_never_unfinished_work() -> None:
    """Whatever the name of the partition says: nobody agreed to lose it."""
    after = stamped(seen())
    entry = table_of(after).entries[0]
    unfinished = disk_of(after).with_entry(replace(entry, name="nix.unfinished"))
    step = decide(tasks()[2], Machine({Disk("/dev/vda"): unfinished}), nothing_left)
    assert step is not None and step.destroys


def test_a_renumbered_partition_is_noticed() -> None:
    after = stamped(seen())
    table = table_of(after)
    moved = replace(table, entries=(replace(table.entries[0], number=5), table.entries[1]))
    disk = replace(disk_of(after), table=moved, volumes=disk_of(after).volumes[1:])
    with pytest.raises(Refused, match="has the UUID of partition 1 'nix'"):
        decide(tasks()[1], Machine({Disk("/dev/vda"): disk}), nothing_left)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (1, {"name": "root"}, "set the name from 'nix' to 'root'"),
        (1, {"type": "luks"}, "set the type from 'linux' to 'luks'"),
        (1, {"size": "4GiB"}, "it has 8GiB, but 4GiB is declared"),
        (1, {"start": "2MiB"}, "it starts at 1MiB, but 2MiB is declared"),
        (2, {"label": "root"}, "mkfs would label /dev/vda1 'root'"),
        (2, {"type": "xfs"}, "mkfs would make an xfs filesystem"),
        (3, {"number": 3}, "no task declares partition 2 'swap'; with `existing: keep`"),
    ],
)
def test_what_differs_is_reported(at: int, value: Mapping[str, Any], words: str) -> None:
    with pytest.raises(Refused, match="is not laid out as the playbook declares") as refused:
        decide(adoption((at, value)), seen(), nothing_left)
    assert words in refused.value.what


def test_a_table_that_is_kept_keeps_its_label_id_and_its_other_partitions() -> None:
    others = [*FOREIGN["partitions"], {"name": "Basic data partition", "uuid": OTHER, "size": "1GiB"}]
    machine = seen({**FOREIGN, "partitions": others})
    step = decide(adoption((0, {"existing": "keep"})), machine, nothing_left)
    assert step is not None and "--disk-id" not in [command.argv[4] for command in step.commands]
    table = table_of(machine.updated(step.after))
    assert (table.id, table.entries[2].uuid) == (UUID(OTHER), UUID(OTHER))


def test_an_adoption_that_was_interrupted_stamps_the_rest() -> None:
    whole = table_of(stamped(seen()))
    halfway = disk_of(seen()).with_entry(whole.entries[0])
    step = decide(adoption(), seen().with_(Disk("/dev/vda"), halfway), nothing_left)
    assert step is not None
    assert [command.argv[4] for command in step.commands] == ["--part-uuid", "--disk-id"]
    assert table_of(step.after) == whole


def test_a_partuuid_that_the_next_boot_needs_does_not_change() -> None:
    with pytest.raises(Refused, match="the next boot would not find a partition of /dev/vda") as refused:
        decide(adoption(), seen(FOREIGN, Naming("/etc/fstab", UUID(PART[1]))), nothing_left)
    assert "/etc/fstab" in refused.value.what and "UUID=" in refused.value.advice
    elsewhere = seen(FOREIGN, Naming("/etc/fstab", UUID(OTHER)))
    assert decide(adoption(), elsewhere, nothing_left) is not None


def test_a_boot_entry_of_the_firmware_is_a_warning() -> None:
    machine = seen(FOREIGN, Naming(f"{FIRMWARE} Boot0001", UUID(PART[1])))
    assert decide(adoption(), machine, nothing_left) is not None
    assert ["Boot0001" in each for each in warnings(adoption(), machine)] == [True]
    assert warnings(adoption(), stamped(machine)) == ()


@pytest.mark.parametrize("disk", [{"table": {"type": "dos"}}, {"table": None}])
def test_only_a_gpt_is_taken_over(disk: Mapping[str, Any]) -> None:
    with pytest.raises(Refused, match="has no GPT to take over"):
        decide(adoption(), seen(disk), nothing_left)


def test_data_in_place_of_a_copy_of_the_table_is_not_overwritten() -> None:
    damaged = {**FOREIGN, "table": {"id": OTHER, "damage": ["backup table"], "taken": ["the last sector"]}}
    with pytest.raises(Refused, match="would overwrite unknown data"):
        decide(adoption(), seen(damaged), nothing_left)
