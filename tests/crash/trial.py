"""One crash state tried: put on a disk, run over again, and judged by what the oracle finds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from crash.content import Content, load
from crash.forked import Ran, subfloor
from crash.prefixes import State
from crash.recording import Recording
from disk_oracle import faults, label_id, names, portrait
from loop_disks import LoopDisk, attach, run, take_away

KEPT_IN = Path(os.environ.get("SUBFLOOR_CRASH_DIR", "build/crash")).absolute()
"""Where disks are kept that a rerun did not bring right."""

NEEDS_CONSENT = 5

for plugin in entry_points(group="subfloor"):
    plugin.load()  # once for all the runs that are forked from here


@contextlib.contextmanager
def stand(recording: Recording, work: Path) -> Iterator[LoopDisk]:
    """The loop device that all states of a recording are tried on."""
    disk = attach(work / "tried", f"{recording.before.size}")
    try:
        yield disk
    finally:
        take_away(disk)


def wrong(disk: LoopDisk, recording: Recording, state: State, *, booted: bool) -> list[str]:
    """What is wrong after a rerun from this state; empty where all is right.

    ``booted``: the kernel knows the partitions, as it does after a boot; else it knows none.
    """
    content = state.content(recording.before, recording.events)
    _put(disk, content)
    if booted:
        run("partx", "--update", disk.node, check=False)
    found = list(_rerun(disk, recording, content))
    if found:
        _keep(recording, state, content, found)
    return found


def _put(disk: LoopDisk, content: Content) -> None:
    disk.forget_partitions()
    content.save(disk.image)
    run("blockdev", "--flushbufs", disk.node)


def _rerun(disk: LoopDisk, recording: Recording, content: Content) -> Iterator[str]:
    arguments = recording.layout.arguments(disk, recording.seed)
    before = (label_id(disk), names(disk)) if recording.layout.destroys else ("", [])
    ran = subfloor(*arguments)
    if ran.status == NEEDS_CONSENT and recording.layout.destroys:
        yield from _asked(disk, recording, content, *before)
        ran = subfloor(*arguments, "--destroy", disk.node)
    if ran.status:
        yield _ended("the rerun", ran)
        return
    yield from faults(disk, recording.layout.parts)
    if (now := portrait(disk)) != recording.portrait:
        yield f"it is not what an uninterrupted run makes:\n{now}\ninstead of\n{recording.portrait}"


def _asked(
    disk: LoopDisk, recording: Recording, content: Content, label: str, partitions: Sequence[str]
) -> Iterator[str]:
    """Whether it was right to ask for consent: never for what is ours and unfinished; and nothing is touched."""
    unfinished = any(name.endswith(".unfinished") for name in partitions)
    labelled = recording.layout.destroys == "foreign" and recording.label_id
    ours = label == recording.label_id if labelled else unfinished
    if ours:
        yield f"it asked for consent to destroy our own unfinished work: {partitions}"
    run("sync", disk.node)
    if load(disk.image).digest != content.digest:
        yield "it was refused, and wrote to the disk"


def _ended(what: str, ran: Ran) -> str:
    return f"{what} ended with {ran.status}: {ran.said.strip()[-1500:]}"


def _keep(recording: Recording, state: State, content: Content, found: Sequence[str]) -> None:
    """Keep the disk as it was tried, what was wrong, and how to try it again."""
    directory = KEPT_IN / recording.layout.name / f"{content.digest[:16]}"
    directory.mkdir(parents=True, exist_ok=True)
    content.save(directory / "disk.img")
    again = " ".join(recording.layout.arguments(LoopDisk(directory / "disk.img", "$node"), recording.seed))
    steps = f"node=$(losetup --find --show disk.img); subfloor {again}"
    text = "\n\n".join(
        [f"{recording.layout.name}, {state.name}", *found, f"To try it again, in this directory:\n{steps}"]
    )
    (directory / "wrong.txt").write_text(text + "\n")
