"""The table of drifts (`tests/data/drifts`): how each is made, what a check must say of it, what apply does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import yaml

from places import DATA, ROOT

DRIFTS = DATA / "drifts"

Apply = Literal["repairs", "refuses", "destroys"]


@dataclass(frozen=True)
class Drift:
    """One entry, as README.md there describes it."""

    drift: str
    make: str
    apply: Apply
    play: str
    disk: str = ""
    then: str = ""
    consent: str = ""
    status: int = -1
    says: str = ""
    json: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The playbook and its variables, as words of a command line."""
        words = play(self.play)
        return [*words, "-e", f"disk={self.disk}"] if self.disk else words


@dataclass(frozen=True)
class Chapter:
    """The drifts of one file."""

    title: str
    drifts: tuple[Drift, ...]


@cache
def chapters() -> tuple[Chapter, ...]:
    """All drifts, in the order of the files."""
    return tuple(_chapter(yaml.safe_load(path.read_text())) for path in sorted(DRIFTS.glob("[0-9]-*.yml")))


def drifts() -> Iterator[Drift]:
    for chapter in chapters():
        yield from chapter.drifts


def play(name: str) -> list[str]:
    """The playbook of this name and its variables, as words of a command line."""
    path, *variables = yaml.safe_load((DRIFTS / "plays.yml").read_text())[name]
    return [str(ROOT / path), *(word for each in variables for word in ("-e", each))]


def _chapter(read: Mapping[str, Any]) -> Chapter:
    return Chapter(read["title"], tuple(_drift(entry, read["play"]) for entry in read["drifts"]))


def _drift(entry: Mapping[str, Any], play: str) -> Drift:
    return Drift(**{"play": play, **entry, "json": tuple(entry.get("json", ()))})


class _Block(yaml.SafeDumper):
    """Writes text of several lines as a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Block.add_representer(str, _text)


def record(drift: Drift, status: int, says: str, json: tuple[str, ...]) -> None:
    """Write what a check says of a drift into its file."""
    for path in sorted(DRIFTS.glob("[0-9]-*.yml")):
        read = yaml.safe_load(path.read_text())
        for entry in read["drifts"]:
            if entry["drift"] == drift.drift:
                entry |= {"status": status, "says": says, "json": list(json)}
                path.write_text(yaml.dump(read, Dumper=_Block, sort_keys=False, width=10000, allow_unicode=True))
