"""The table of deliberate faults fits the code as it is, and the way in which they are tried tells them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutants.mutant import Mutant, judge, plant
from mutants.table import MUTANTS
from places import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.why.replace(" ", "-"))
def test_every_mutant_fits_the_code_once(mutant: Mutant) -> None:
    assert mutant.fits == 1, f"{mutant.file} has this {mutant.fits} times:\n{mutant.old}"
    assert mutant.old != mutant.new
    tests = {argument.partition("::")[0] for argument in mutant.tests if argument.startswith("tests/")}
    assert tests and all((ROOT / name).exists() for name in tests)


def test_no_two_mutants_are_the_same() -> None:
    assert len(MUTANTS) >= 30
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)


SHOWN = next(mutant for mutant in MUTANTS if mutant.why == "consent for any device is consent for all")


def test_a_mutant_is_caught_and_the_code_as_it_is_passes(tmp_path: Path) -> None:
    tree = plant(tmp_path)
    assert judge(tree, SHOWN.tests).caught_by is None
    SHOWN.apply(tree)
    caught = judge(tree, SHOWN.tests).caught_by
    assert caught and caught.startswith("tests/unit/core/test_engine.py::")


def test_tests_that_cannot_run_catch_nothing(tmp_path: Path) -> None:
    tree = plant(tmp_path)
    with pytest.raises(RuntimeError, match="did not run"):
        judge(tree, ("tests/none.py",))
