"""Check the tags and variables of the command line: the playbook must use each of them.

A misspelt name selects nothing and sets nothing, which looks like success: a monitoring job with a misspelt tag
would be "in sync" for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from subfloor.playbook.as_written import items, names_read
from subfloor.playbook.plays import Play
from subfloor.playbook.positions import PlaybookError, Position, Problems, Source, did_you_mean
from subfloor.playbook.strict_yaml import Node
from subfloor.playbook.variables import Deferred

SPECIAL = frozenset({"all", "always", "never", "tagged", "untagged"})
"""Tags with a special meaning on the command line. No task needs to have them."""


def known_tags(plays: Iterable[Play]) -> frozenset[str]:
    """The tags of all entries, also of those that are skipped."""
    return frozenset(tag for play in plays for tag in (*play.tags, *(tag for item in items(play) for tag in item.tags)))


def check_tags(plays: Sequence[Play], option: str, given: Iterable[str]) -> None:
    """Raise ``PlaybookError`` for tags that no task has, not even a skipped one. ``option``: where they were given."""
    known = known_tags(plays)
    problems = Problems()
    for tag in given:
        if tag not in known | SPECIAL:
            there = ", ".join(sorted(known)) or "none"
            problems.add(
                PlaybookError(
                    f"no task has the tag `{tag}`",
                    advice=did_you_mean(tag, known, otherwise=f"the tags of this playbook: {there}"),
                    where=Position(Source(option, tag)),
                    follows=_partial(plays),
                )
            )
    problems.settle()


def _partial(plays: Iterable[Play]) -> bool:
    return any(play.partial or not play.files.complete for play in plays)


def check_variables(
    plays: Sequence[Play], hosts: Iterable[Mapping[str, Any]], extra: Mapping[str, Any], known: Iterable[str]
) -> None:
    """Raise ``PlaybookError`` for unused variables of the command line. Variables of a file may stay unused.

    ``hosts``: the variables of each host. ``known``: names that subfloor itself reads, such as those for connections.
    """
    read = set(known) | names_read(plays, (*hosts, extra))
    problems = Problems()
    for name, value in extra.items():
        where = _place(name, value)
        if where and name not in read:
            otherwise = "remove it, or use it in the playbook; variables of a file (-e @FILE) may stay unused"
            advice = did_you_mean(name, read, otherwise=otherwise)
            what = f"nothing reads the variable `{name}`"
            problems.add(PlaybookError(what, advice=advice, where=where, follows=_partial(plays)))
    problems.settle()


def _place(name: str, value: Any) -> Position | None:
    """Where a variable was given on the command line; None if a file or another program defines it."""
    if isinstance(value, Deferred):
        return None
    if not isinstance(value, Node):
        return Position(Source("the command line", name))
    return replace(value.where, line=1, column=1) if value.where.source.name == "-e" else None
