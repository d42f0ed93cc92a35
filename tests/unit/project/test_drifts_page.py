"""The page about drifts says what the table of drifts says; UPDATE_GOLDEN=1 writes it anew."""

from __future__ import annotations

import os

from drift_page import page
from drift_table import drifts
from places import ROOT

PAGE = ROOT / "docs" / "drifts.md"


def test_the_page_is_made_from_the_table() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_every_drift_has_a_name_of_its_own_and_an_expected_report() -> None:
    every = list(drifts())
    assert len({each.drift for each in every}) == len(every) >= 40
    assert [each.drift for each in every if not each.says or each.status < 0] == []


def test_what_apply_does_agrees_with_the_exit_status() -> None:
    statuses = {"repairs": {0, 2}, "refuses": {3}, "destroys": {5}}
    assert [each.drift for each in drifts() if each.status not in statuses[each.apply]] == []
