"""Which entries of a play are asked for: ``--tags`` and ``--skip-tags``, as in Ansible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Tagged(Protocol):
    """Anything with tags."""

    @property
    def tags(self) -> frozenset[str]: ...


T = TypeVar("T", bound=Tagged)


def select(entries: Iterable[T], tags: Iterable[str] = (), skip: Iterable[str] = ()) -> tuple[T, ...]:
    """The entries that are asked for; without ``tags``, all that are not tagged ``never``.

    ``always`` comes along whatever is asked for, ``never`` only by another of its tags. ``all``,
    ``tagged`` and ``untagged`` may stand for tags in both lists.
    """
    wanted, unwanted = frozenset(tags) or frozenset({"all"}), frozenset(skip)
    return tuple(each for each in entries if _wanted(each.tags, wanted) and not _skipped(each.tags, unwanted))


def _wanted(tags: frozenset[str], wanted: frozenset[str]) -> bool:
    if "always" in tags or not _named(tags).isdisjoint(wanted):
        return True
    return "never" not in tags and ("all" in wanted or ("tagged" in wanted and bool(tags)))


def _skipped(tags: frozenset[str], unwanted: frozenset[str]) -> bool:
    if not _named(tags).isdisjoint(unwanted):
        return True
    return ("all" in unwanted and "always" not in tags) or ("tagged" in unwanted and bool(tags))


def _named(tags: frozenset[str]) -> frozenset[str]:
    return tags or frozenset({"untagged"})
