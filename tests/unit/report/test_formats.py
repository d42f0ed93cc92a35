"""Reports as HTML, Markdown, JUnit XML and Prometheus metrics: whole, well-formed, to scale, and without secrets."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from uuid import UUID
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subfloor.core.errors import CommandFailed, ConsentNeeded, Refused
from subfloor.core.machine import Difference, Machine
from subfloor.core.outcome import (
    AppliedBefore,
    HostReport,
    Outcome,
    StepRecord,
    Survey,
    TaskReport,
    UnmountedFilesystem,
)
from subfloor.core.task import Command, Loss, Step
from subfloor.observe.disk import Content, Disk, DiskState, PartitionState
from subfloor.observe.path import Absent, NotYetVisible, Text
from subfloor.report import bar, layout
from subfloor.report.formats import FORMATS, render
from subfloor.report.json import SCHEMA, document
from subfloor.report.run import Problem, Run
from subfloor.report.style import Style
from subfloor.storage import gpt

NASTY = "<script>alert('&\"')</script> \033[2J\x00 |`*\udcff\n# no heading"
LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")

GIB = 1 << 30
FOUND = DiskState(
    "/dev/vda",
    8 * GIB,
    model=NASTY,
    table=gpt.Gpt(
        UUID(int=1), 34, (8 << 21) - 34, 128,
        (
            gpt.Entry(1, 2 << 21, 2 << 21, LINUX, UUID(int=2), NASTY),
            gpt.Entry(3, 4 << 21, 1 << 21, LINUX, UUID(int=3), "guest"),
        ),
    ),
    volumes=(PartitionState(1, Content("ext4", NASTY)), PartitionState(3)),
)  # fmt: skip
assert isinstance(FOUND.table, gpt.Gpt)
PLANNED = replace(FOUND, table=replace(FOUND.table, entries=(*FOUND.table.entries,)), volumes=(PartitionState(1),))

STEP = Step(
    f"Make it {NASTY}",
    (Command(("tee", "x"), stdin=b"a secret"),),
    Machine(),
    (Loss("/dev/vda", "/dev/vda", f"/dev/vda: {NASTY}"),),
)
DIFFERENCES = (
    Difference("disk /dev/vda", "partition 1, content, label", NASTY, "home"),
    Difference("content of /etc/x", "content", b"one\n", b"two\n"),
    Difference("content of /etc/y", "", Absent(), Text(NASTY.encode("utf-8", "surrogateescape"))),
    Difference("/etc", "", Absent(), NotYetVisible("/etc", "vda")),
)
TASKS = (
    TaskReport("satisfied", "note", Outcome.OK),
    TaskReport("left out", "note", Outcome.SKIPPED, note="when: no"),
    TaskReport(NASTY, "mkfs", Outcome.REFUSED, (StepRecord(STEP, ()),), ConsentNeeded(NASTY, advice=NASTY)),
    TaskReport("differs", "note", Outcome.WOULD_CHANGE, differences=DIFFERENCES, warnings=(NASTY,)),
    TaskReport("refused", "note", Outcome.REFUSED, error=Refused("no disk", advice="add one"), stops=("stopped",)),
    TaskReport("stopped", "note", Outcome.REFUSED, error=Refused("no disk", advice="x"), cause="refused", repeats=True),
    TaskReport("broken", "note", Outcome.FAILED, error=CommandFailed("it ended:\n  no\n  room", advice="see")),
)
SURVEY = Survey(
    Machine({Disk("/dev/vda"): FOUND}),
    Machine({Disk("/dev/vda"): PLANNED}),
    AppliedBefore.FULLY,
    frozenset({("/dev/vda", 1)}),
    frozenset({"/dev/vda"}),
)
RUN = Run(
    "check", 1, "failed", NASTY, (HostReport(NASTY, TASKS, survey=SURVEY), HostReport("web")),
    at=datetime(2026, 11, 29, 15, 4, tzinfo=UTC), version="0.1",
)  # fmt: skip
WRONG = Run("apply", 64, "usage-error", problem=Problem("PlaybookError", NASTY, "see"), at=RUN.at, version="0.1")


UNMOUNTED = (
    UnmountedFilesystem("/dev/vda1", "/mnt", note="its journal has to be replayed"),
    UnmountedFilesystem("/dev/vda2", "/mnt/home", unseen="--shallow was given"),
    UnmountedFilesystem("/dev/vda3", "/mnt/srv"),
)


@pytest.mark.parametrize("suffix", [".html", ".md"])
def test_what_was_not_seen_is_said(suffix: str) -> None:
    told = render(replace(RUN, hosts=(HostReport("web", unmounted=UNMOUNTED),)), suffix).replace("\\", "")
    assert "not visible: the content of /dev/vda2, to be mounted at /mnt/home: --shallow was given" in told
    assert "/dev/vda1, to be mounted at /mnt: its journal has to be replayed" in told
    assert "/mnt/srv" not in told


def test_the_document_says_of_each_filesystem_whether_it_was_seen() -> None:
    told = document(replace(RUN, hosts=(HostReport("web", unmounted=UNMOUNTED),)))
    jsonschema.validate(told, json.loads(SCHEMA.read_text()))
    assert [(each["source"], each["seen"], each["why_not"]) for each in told["hosts"]["web"]["not_mounted"]] == [
        ("/dev/vda1", True, ""),
        ("/dev/vda2", False, "--shallow was given"),
        ("/dev/vda3", True, ""),
    ]


@pytest.mark.parametrize("run", [RUN, WRONG], ids=["hosts", "usage"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_no_secret_and_no_control_character_is_in_any_of_them(suffix: str, run: Run) -> None:
    text = render(run, suffix)
    assert "secret" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)
    assert text.encode("utf-8") and text.endswith("\n")


@pytest.mark.parametrize("suffix", ["", ".txt", ".log", ".json"])
def test_anything_else_is_json(suffix: str) -> None:
    assert render(RUN, suffix).startswith('{\n  "version": 1,')


# HTML.

_VOID = {"meta", "rect", "br"}


class Page(HTMLParser):
    """The elements of a page, which must be closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [about for name, about in self.found if name == tag]


@pytest.mark.parametrize("run", [RUN, WRONG], ids=["hosts", "usage"])
def test_the_page_is_whole_and_needs_nothing_else(run: Run) -> None:
    page = Page(render(run, ".html"))
    tags = {tag for tag, _ in page.found}
    assert {"html", "title", "main", "h1"} <= tags and not {"script", "img", "link", "iframe"} & tags
    assert not [about for _, about in page.found if {"src", "href", "onload"} & about.keys()]
    assert len(page.all("h1")) == 1
    identifiers = [about["id"] for _, about in page.found if "id" in about]
    assert len(identifiers) == len(set(identifiers))


def test_the_page_shows_the_summary_then_hosts_disks_and_open_tasks() -> None:
    text = "".join(Page(render(RUN, ".html")).text)
    order = [
        "check: failed",
        "exit status",
        "Hosts",
        "applied before",
        "no task declares it",
        "differs",
        "broken",
        "All",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "blocked by “refused”" in text and text.count("no disk") == 1
    assert "-one" in text and "+two" in text and "not visible until" not in text


def test_the_picture_is_to_scale() -> None:
    parts = [about for about in Page(render(RUN, ".html")).all("rect") if about["class"] != "free"]
    places = [(float(about["x"]), float(about["width"])) for about in parts]
    assert places == [(250.0, 250.0), (500.0, 125.0)] * 2


# The other formats.


def test_markdown_has_no_html_and_no_heading_of_another() -> None:
    text = render(RUN, ".md")
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    assert not [line for line in prose if re.search(r"(?<!\\)<", line)]
    assert [line for line in prose if line.startswith("# ")] == ["# check: failed"]
    assert "### broken" in text and "→ see" in text and "    disk /dev/vda" in text


def test_junit_counts_what_it_has() -> None:
    root = Xml.fromstring(render(RUN, ".xml"))
    assert root.tag == "testsuites" and len(root) == 2
    suite = root[0]
    kinds = [case[0].tag if len(case) else "" for case in suite]
    assert kinds == ["", "skipped", "failure", "failure", "failure", "skipped", "error"]
    for each in (root, suite):
        counted = [each.get(name) for name in ("tests", "failures", "errors", "skipped")]
        assert counted == ["7", "3", "1", "2"]
    assert suite[2][0].get("type") == "destroys" and "→" in (suite[4][0].text or "")
    (wrong,) = Xml.fromstring(render(WRONG, ".xml")).iter("error")
    assert wrong.get("type") == "PlaybookError"


_SAMPLE = re.compile(r'[a-z_]+\{[a-z]+="(?:[^"\\\n]|\\[\\n"])*"(?:,[a-z]+="(?:[^"\\\n]|\\[\\n"])*")*\} -?\d+')


@pytest.mark.parametrize("run", [RUN, WRONG], ids=["hosts", "usage"])
def test_metrics_are_as_the_collector_reads_them(run: Run) -> None:
    lines = render(run, ".prom").splitlines()
    samples = [line for line in lines if not line.startswith("# ")]
    assert all(_SAMPLE.fullmatch(line) for line in samples), samples
    assert len({line.rpartition(" ")[0] for line in samples}) == len(samples)
    named = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert len(named) == len(set(named)) and {line.partition("{")[0] for line in samples} == set(named)
    assert any(line.startswith("subfloor_exit_status{") and line.endswith(f" {run.status}") for line in samples)


def test_metrics_count_what_needs_what() -> None:
    text = render(RUN, ".prom")
    for repair, number in (("none", 2), ("in-place", 1), ("destroys", 1), ("person", 1), ("blocked", 1), ("error", 1)):
        assert re.search(rf'^subfloor_tasks_by_repair\{{host="[^\n]*",repair="{repair}"\}} {number}$', text, re.M), (
            repair
        )
    assert re.search(r'^subfloor_undeclared_partitions\{host="web"\} 0$', text, re.M)
    assert re.search(r"^subfloor_undeclared_partitions\{.*\} 1$", text, re.M)


# The terminal.


@given(st.lists(st.integers(1, 1 << 50), min_size=1, max_size=20), st.integers(20, 100))
def test_columns_are_shared_to_scale_and_none_goes_without(sizes: list[int], width: int) -> None:
    shares = bar.cells(sizes, width)
    assert sum(shares) == width and min(shares) >= 1
    exact = [size * width / sum(sizes) for size in sizes]
    assert all(share <= max(1, size + 1) for share, size in zip(shares, exact, strict=True))


def test_a_bar_shows_partitions_by_number_and_free_space() -> None:
    assert bar.bar(FOUND, 16, Style()) == "····1░░░3░······"
    assert bar.bar(FOUND, 16, Style(unicode=False)) == "----1===3=------"
    coloured = bar.bar(FOUND, 16, Style(colour=True))
    assert coloured.startswith("\033[2m····\033[0m\033[32m1░░░\033[0m")
    assert bar.bar(DiskState("/dev/vdb", GIB), 8, Style()) == "········"


def test_parts_that_overlap_or_lie_beyond_the_disk_are_drawn_once_and_inside() -> None:
    assert isinstance(FOUND.table, gpt.Gpt)
    entries = (
        gpt.Entry(1, 0, 4 << 21, LINUX, UUID(int=2), "a"),
        gpt.Entry(2, 2 << 21, 99 << 21, LINUX, UUID(int=3), "b"),
    )
    odd = replace(FOUND, table=replace(FOUND.table, entries=entries), volumes=())
    assert [(span.number, span.start, span.size) for span in layout.spans(odd)] == [
        (1, 0, 4 * GIB),
        (2, 4 * GIB, 4 * GIB),
    ]
