"""What a run says, held still by golden files in tests/data/report; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import jsonschema
import pytest

from places import DATA
from subfloor.act.events import Interrupted
from subfloor.core.errors import CommandFailed, NotVisible, Refused, Unreachable
from subfloor.core.machine import Difference, Machine, Unknown
from subfloor.core.outcome import HostReport, Outcome, StepRecord, TaskReport
from subfloor.core.task import Command, Loss, Step
from subfloor.observe.disk import Content, DiskState, PartitionState
from subfloor.observe.path import Absent, Mode, Text
from subfloor.report import disk, text
from subfloor.report.json import SCHEMA, document
from subfloor.report.run import Run
from subfloor.report.style import Style
from subfloor.report.values import as_json, as_text, in_bytes
from subfloor.storage import gpt

GOLDEN = DATA / "report"

ESP, LINUX = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"), UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")

ENTRY = gpt.Entry(1, 2048, 1048576, ESP, UUID(int=1), "ESP")

WIPE = StepRecord(
    Step(
        "Erase every signature on /dev/vda",
        (Command(("wipefs", "--all", "/dev/vda")),),
        Machine(),
        (Loss("/dev/vda", "/dev/vda", "/dev/vda (30.0 GiB QEMU serial 7), a GPT, /dev/vda1: ext4 labelled 'photos'"),),
    ),
    (
        Difference("disk /dev/vda", "signatures", ("ext4",), ()),
        Difference("disk /dev/vda", "partition table, damage", (), "x"),
    ),
)

PARTITION = StepRecord(
    Step(
        "Make partition 1 'ESP' of /dev/vda: esp, 512MiB at 1MiB",
        (
            Command(("sfdisk", "--append", "/dev/vda"), stdin=b"size=1048576, name=a secret"),
            Command(("partx", "--update", "/dev/vda")),
        ),
        Machine(),
    ),
    (
        Difference("disk /dev/vda", "partition table, entry 1", None, ENTRY),
        Difference("disk /dev/vda", "partition 1", None, PartitionState(1, Unknown())),
    ),
)

FILE = StepRecord(
    Step("Write /mnt/etc/nixos/configuration.nix", (Command(("tee", "/mnt/etc/…")),), Machine()),
    (
        Difference("content of /mnt/a", "content", b"one\ntwo\nthree\n", b"one\n2\nthree\n"),
        Difference("content of /mnt/b", "", Absent(), Text(b"new\n")),
        Difference("/mnt/b", "mode", 0o644, 0o600),
    ),
)

FORGOTTEN = "/var/log does not survive a reboot: logs are lost, and with them the cause of a crash; persist it"

HOST = HostReport(
    "localhost",
    (
        TaskReport("Nothing to see", "note", Outcome.OK),
        TaskReport("note /tmp/one", "note", Outcome.SKIPPED, note="when: with_swap"),
        TaskReport("Start over", "wipefs", Outcome.REFUSED, (WIPE,), Refused("it is in use", advice="unmount /mnt")),
        TaskReport("ESP", "aligned-partition", Outcome.CHANGED, (PARTITION,)),
        TaskReport("Configuration", "nixos-config", Outcome.WOULD_CHANGE, (FILE,), warnings=(FORGOTTEN,)),
        TaskReport(
            "Persist", "directory", Outcome.NOT_VISIBLE, error=NotVisible("/mnt/nix is not mounted", advice="mount it")
        ),
        TaskReport(
            "Filesystem", "mkfs", Outcome.FAILED,
            error=CommandFailed("`mkfs.ext4` ended with status 1:\n    no\n    room", advice="make room"),
        ),
    ),
    unreached=("Mount it", "Write it"),
    broke_off=PARTITION.step,
)  # fmt: skip

GONE = HostReport("vault", error=Unreachable("the shell on vault ended", advice="see that ssh works"), unreachable=True)

DISK = DiskState(
    node="/dev/vda",
    size=30 << 30,
    table=gpt.Gpt(
        UUID(int=0), 2048, (30 << 21) - 34, 128,
        (
            ENTRY,
            gpt.Entry(2, 1050624, 16777216, LINUX, UUID(int=2), "swap"),
            gpt.Entry(3, 17827840, 20971520, LINUX, UUID(int=3), "nix.unfinished"),
        ),
    ),
    volumes=(
        PartitionState(1, Content("vfat", "boot")),
        PartitionState(2, Content("swap", "swap")),
        PartitionState(3, Unknown()),
    ),
)  # fmt: skip

CASES: dict[str, Callable[[Style], Iterator[str]]] = {
    "tasks": lambda style: (line for task in HOST.tasks for line in text.task(task, style)),
    "recap": lambda style: (line for host in (HOST, GONE, HostReport("web1")) for line in text.recap(host, style)),
    "ending": lambda style: text.ending(HOST, "subfloor apply playbooks/nixos-tmpfs-root.yml -e disk=/dev/vda", style),
    "plan": lambda style: text.plan((HOST, GONE), style),
    "disk": lambda style: disk.picture(DISK, style),
    "blank-disk": lambda style: disk.picture(DiskState("/dev/vdb", 8 << 30, model="Toy\033[2J"), style),
}

STYLES = {
    "pipe": Style(),
    "full": Style(diff=True, commands=True),
    "narrow": Style(width=60, diff=True),
    "ascii": Style(width=80, unicode=False, diff=True),
    "colour": Style(width=100, colour=True, diff=True, commands=True),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, style: str) -> None:
    lines = [line.replace("\033", "␛") for line in CASES[case](STYLES[style])]
    found = "".join(f"{line}\n" for line in lines)
    golden = GOLDEN / f"{case}.{style}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("case", ["tasks", "ending", "disk"])
def test_lines_fit_the_terminal(case: str) -> None:
    style = replace(STYLES["narrow"], diff=False)  # what a file says is shown as it is
    assert style.width is not None
    lines = [line for line in CASES[case](style) if "resume with:" not in line]  # which is there to be copied
    assert max(map(len, lines)) <= style.width


@pytest.mark.parametrize("case", CASES)
def test_a_terminal_without_unicode_gets_ascii(case: str) -> None:
    assert all(line.isascii() for line in CASES[case](STYLES["ascii"]))


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    nasty = "a\033[2Jb\rc\x9bd\u202ee\udcfff"
    assert Style().clean(nasty) == "a\\x1b[2Jb\\x0dc\\x9bd\\u202ee\\udcfff"


def test_the_document_contains_everything_except_secrets() -> None:
    told = document(Run("apply", 1, "failed", "Install", (HOST, GONE)))
    jsonschema.validate(told, json.loads(SCHEMA.read_text()))
    assert "secret" not in json.dumps(told)
    assert told["hosts"]["localhost"]["outcome"] == "failed"
    assert told["hosts"]["localhost"]["broke_off"] == PARTITION.step.says
    assert [each.get("warnings", []) for each in told["hosts"]["localhost"]["tasks"]].count([FORGOTTEN]) == 1
    difference = told["hosts"]["localhost"]["tasks"][3]["steps"][0]["differences"][0]
    assert difference["property"] == "partition table, entry 1"
    assert difference["after"]["type"] == str(ESP)


@dataclass(frozen=True)
class Odd:
    """A value with everything in it."""

    raw: bytes
    names: frozenset[str]
    nested: tuple[UUID | None, ...]


@pytest.mark.parametrize(
    ("value", "as_document", "as_words"),
    [
        (None, None, "none"),
        (True, True, "yes"),
        (7, 7, "7"),
        (b"\xff\n", "\\xff\n", "2 bytes"),
        (frozenset({"b", "a"}), ["a", "b"], "a, b"),
        (Unknown(), "not known yet", "not known yet"),
        (UUID(int=1), str(UUID(int=1)), str(UUID(int=1))),
        ("\udcff", "\\udcff", "\udcff"),
        (
            Odd(b"x", frozenset({"n"}), (None,)),
            {"raw": "x", "names": ["n"], "nested": [None]},
            "raw 1 bytes, names n, nested none",
        ),
        (Interrupted, str(Interrupted), str(Interrupted)),
    ],
    ids=("none", "bool", "int", "bytes", "set", "unknown", "uuid", "surrogate", "dataclass", "class"),
)
def test_values(value: object, as_document: object, as_words: str) -> None:
    assert as_json(value) == as_document
    assert as_text(value) == as_words


def test_a_partition_s_type_has_a_name_and_permission_bits_are_octal() -> None:
    assert as_text(ESP, "partition table, entry 1, type") == "esp"
    assert as_text(UUID(int=7), "partition table, entry 1, type") == str(UUID(int=7))
    assert (as_text(0o644, "mode"), as_json(0o644, "mode"), as_json(Mode(0o4755))) == ("0644", "0644", "4755")


def test_places_and_sizes_of_partitions_are_in_bytes() -> None:
    told = as_json(ENTRY, "partition table, entry 1", 4096)
    assert (told["start"], told["size"], told["number"], told["attrs"]) == (2048 * 4096, 1048576 * 4096, 1, 0)
    assert as_json(8, "partition table, entry 1, sectors", 512) == 4096
    assert in_bytes("partition table, entry 1, sectors") == "partition table, entry 1, bytes"
    assert as_json(8, "partition table, entry 1, name", 512) == 8
