"""The documentation page that is made from the table of drifts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drift_table import Chapter, Drift, chapters

HEAD = """\
# Drifts, one by one

What `subfloor check` says of each kind of drift, and what `subfloor apply` does about it. A test makes each of them on
a machine that was in sync, with the commands shown, and compares every word. Then it runs `apply`, and checks that the
machine is in sync again. This page is generated from the table of that test. Tasks that are in sync are left out.

All of them were made on loop devices. In a virtual machine (`make crash`) only some have been made so far, so a few
lines on this page may differ there.

[Check for drift](how-to/check-for-drift.md) explains the exit status and the reports.

| apply | Meaning |
|---|---|
| repairs | it brings the machine into sync, and destroys nothing |
| refuses | it changes nothing; a person decides, as the text after `→` says |
| destroys | it changes nothing without consent for the device; with it, what is there is lost |
"""

DOES = {
    "repairs": "`apply` repairs it, and destroys nothing.",
    "refuses": "`apply` refuses and changes nothing.",
    "destroys": "`apply` changes nothing without consent. With `--destroy {consent}` it makes it again, and what was "
    "there is lost.",
}


def page() -> str:
    """The page in Markdown."""
    return "\n".join((HEAD, *_overview(), *(line for chapter in chapters() for line in _chapter(chapter))))


def _overview() -> Iterator[str]:
    yield "## Overview\n"
    yield "| Drift | Status of check | apply |"
    yield "|---|---|---|"
    for chapter in chapters():
        for each in chapter.drifts:
            yield f"| [{each.drift}](#{_anchor(each.drift)}) | {each.status} | {each.apply} |"
    yield ""


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"## {chapter.title}\n"
    for each in chapter.drifts:
        yield from _drift(each)


def _drift(each: Drift) -> Iterator[str]:
    yield f"### {each.drift}\n"
    yield from _block("text", each.make)
    yield f"`check` ends with status {each.status}:\n"
    yield from _block("text", each.says)
    yield DOES[each.apply].format(consent=each.consent or "/dev/vda")
    if each.then:
        yield "\nA person does this, and runs `apply` again:\n"
        yield from _block("text", each.then)
    else:
        yield ""


def _block(language: str, text: str) -> Iterator[str]:
    yield f"```{language}\n{text.rstrip()}\n```\n"


def _anchor(heading: str) -> str:
    """The identifier that a heading gets, as Markdown's table of contents and GitHub make it."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
