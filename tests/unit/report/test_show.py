"""A disk as `show` draws it: its parts, what a person should know about it, and the same as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import jsonschema
import pytest

from places import ROOT
from subfloor.cli.showing import document
from subfloor.core.errors import LookFailed
from subfloor.core.machine import Unknown
from subfloor.observe.disk import UNKNOWN_DATA, Content, DiskState, OtherTable, PartitionState, Remains
from subfloor.report import show
from subfloor.report.style import Style
from subfloor.storage import gpt

SCHEMA = json.loads((ROOT / "src/subfloor/report/show.schema.json").read_text())

GIB, MIB = 1 << 30, 1 << 20
LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
OURS, RANDOM = UUID("5e5ef880-09ed-57e8-abb2-d6a36351fe9e"), UUID("0b3f3c0e-8a6c-4a53-9d9f-3f6c2f7c9b11")

TABLE = gpt.Gpt(
    RANDOM, 34, (8 << 21) - 34, 128,
    (
        gpt.Entry(1, 2048, 2 << 21, LINUX, OURS, "home"),
        gpt.Entry(2, 63 + (2 << 21) + 2048, 2048, LINUX, RANDOM, "odd"),
        gpt.Entry(5, 4 << 21, 2048, LINUX, OURS, "nix.unfinished"),
    ),
)  # fmt: skip
DISK = DiskState(
    "/dev/vda",
    8 * GIB,
    model="QEMU",
    table=TABLE,
    volumes=(
        PartitionState(1, Content("ext4", "home"), in_use=True, users=("mounted at /home",)),
        PartitionState(2, Unknown()),
        PartitionState(5),
    ),
)
SHOWN = show.Shown.of(DISK, (Remains(MIB, Content("ext4", use="10% full")),))


def text(disk: show.Shown, style: Style | None = None) -> str:
    return "\n".join(show.lines(disk, style or Style()))


def test_each_part_has_a_row_and_free_space_too() -> None:
    rows = [line.split() for line in text(SHOWN).splitlines()]
    words = "1 home 2 GiB linux ext4 labelled 'home' mounted at /home"
    assert words in map(" ".join, rows)
    assert ["10%", "full"] in rows
    assert ["free", "4", "GiB"] in rows
    assert text(SHOWN).startswith("/dev/vda (8.0 GiB QEMU)\n  GPT, label-id")


def test_oddities_of_a_disk_are_shown() -> None:
    said = "\n".join(show.notes(DISK))
    assert "partition 2 is not aligned" in said and "partition 1 is not" not in said
    assert "partition 5 'nix.unfinished': an apply was interrupted" in said


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        (replace(DISK, table=replace(TABLE, damage=frozenset({"primary table"}))), "the GPT is damaged: primary table"),
        (replace(DISK, read_only=True), "read-only"),
        (replace(DISK, stray=(7,)), "the table does not have: 7"),
        (replace(DISK, users=("held by md0",)), "in use: held by md0"),
        (replace(DISK, size=GIB), "partition 1 reaches beyond the end"),
        (
            replace(DISK, volumes=(PartitionState(1, known=False),)),
            "the kernel has another start or size than the partition table",
        ),
        (DiskState("/dev/vdb", GIB, signatures=(UNKNOWN_DATA,)), "not blank"),
    ],
    ids=["damaged", "read-only", "stray", "in-use", "beyond", "unknown-to-kernel", "unknown-data"],
)
def test_damage_of_a_disk_is_shown(disk: DiskState, said: str) -> None:
    assert said in text(show.Shown(disk))


@pytest.mark.parametrize(
    "disk",
    [
        DISK,
        DiskState("/dev/vdb", GIB),
        DiskState("/dev/vdb", GIB, signatures=("ext4",), labels=(("ext4", "x"),)),
        DiskState(
            "/dev/vdb", GIB, table=OtherTable("dos", 1), signatures=("dos",),
            volumes=(PartitionState(1, Content("ntfs", "C\udcff"), start=63 * 512, size=MIB),),
        ),
    ],
    ids=["gpt", "blank", "whole", "dos"],
)  # fmt: skip
def test_the_document_is_as_its_schema_says(disk: DiskState) -> None:
    told = json.loads(document([show.Shown(disk), LookFailed("it is gone", advice="see")], 1, ascii=False))
    jsonschema.validate(told, SCHEMA)
    assert told["errors"] == [{"kind": "LookFailed", "what": "it is gone", "advice": "see"}]


def test_owner_use_and_alignment_of_each_partition_are_in_the_document() -> None:
    parts = {part["number"]: part for part in show.document(SHOWN)["parts"] if part["number"]}
    assert [parts[number]["owner"] for number in (1, 2, 5)] == ["subfloor", "unknown", "subfloor"]
    assert [parts[number]["aligned"] for number in (1, 2, 5)] == [True, False, True]
    assert [parts[number]["unfinished"] for number in (1, 2, 5)] == [False, False, True]
    assert parts[1]["usage"] == "10% full" and parts[1]["size"] == 2 * GIB and parts[1]["label"] == "home"


def test_a_plain_terminal_is_sent_plain_text() -> None:
    assert text(SHOWN, Style(width=80, unicode=False)).isascii()
