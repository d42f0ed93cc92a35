"""Select the entries of a play by ``--tags`` and ``--skip-tags``, as in Ansible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Tagged(Protocol):
    """Anything with tags."""

    @property
    def tags(self) -> frozenset[str]:
        """The names of the tags."""


T = TypeVar("T", bound=Tagged)


def select(entries: Iterable[T], tags: Iterable[str] = (), skip: Iterable[str] = ()) -> tuple[T, ...]:
    """The entries that ``tags`` selects, without those that ``skip`` names. No ``tags``: all without the tag ``never``.

    ``tags`` always selects entries with the tag ``always``. It selects entries with the tag ``never`` only by another
    tag of theirs. Both lists may contain ``all``, ``tagged`` and ``untagged``.
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
