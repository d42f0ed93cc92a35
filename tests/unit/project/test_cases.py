"""The list of cases, held to the tests: every case has a test that bears its number, and every test named is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from places import TESTS

PAGE = (TESTS.parent / "docs" / "cases.md").read_text("utf-8")
_ROW = re.compile(r"^\| (\d+) \|.*\| (.*) \|$", re.MULTILINE)
SHOWN, _, LATER = PAGE.partition("## Not shown")
ROWS = {int(number): re.findall(r"`([^`]+)`", last) for number, last in _ROW.findall(SHOWN)}
CASES = range(1, 73)


def _named() -> Iterator[str]:
    """Every case and every test: ``data/steps/mkfs/half-made``, ``unit/storage/test_gpt.py::test_…``."""
    for path in TESTS.rglob("*.yml"):
        yield str(path.relative_to(TESTS).with_suffix(""))
    for path in TESTS.rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE):
            yield f"{path.relative_to(TESTS)}::{name}"


NAMES = tuple(_named())


def _numbers(name: str) -> set[int]:
    """The cases that a name is about: ``case-07-…``, ``…-case-71``, ``…_case_39_41``."""
    found = re.findall(r"case[-_](\d+(?:[-_]\d+)*)", name)
    return {int(number) for numbers in found for number in re.split("[-_]", numbers)}


def test_every_case_has_one_row() -> None:
    listed = [int(number) for number, _ in _ROW.findall(PAGE)]
    assert sorted(listed) == list(CASES)


@pytest.mark.parametrize("number", ROWS)
def test_every_test_in_a_row_exists_and_has_the_number_of_the_case(number: int) -> None:
    found = [[each for each in NAMES if fnmatchcase(each, pattern)] for pattern in ROWS[number]]
    assert found and all(found), ROWS[number]
    assert any(number in _numbers(each) for names in found for each in names)


def test_a_case_that_is_shown_is_not_said_to_wait() -> None:
    """Once a test bears its number, it belongs into the table."""
    waiting = {int(number) for number, _ in _ROW.findall(LATER)}
    assert not {number for name in NAMES for number in _numbers(name)} & waiting


def test_every_number_in_a_test_name_is_a_case() -> None:
    assert {number for name in NAMES for number in _numbers(name)} <= set(CASES)
