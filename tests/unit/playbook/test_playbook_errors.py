"""Every error's words and place: ``playbook/CASE.yml`` is read, ``playbook/CASE.txt`` is what is said.

A first line ``# -e NAME=VALUE`` gives variables. To write the expectations anew, look at each of them:
``SUBFLOOR_WRITE_EXPECTED=1 pytest tests/unit/playbook/test_playbook_errors.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from places import DATA
from playbook_samples import entries
from subfloor.playbook.positions import PlaybookError

CASES = sorted((DATA / "playbook").glob("*.yml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_error_has_a_message_and_a_position(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    first = path.read_text("utf-8").partition("\n")[0]
    extra = first.removeprefix("# -e ").split() if first.startswith("# -e ") else []
    with pytest.raises(PlaybookError) as caught:
        entries(Path(path.name), *extra)
    expected = path.with_suffix(".txt")
    said = f"{caught.value}\n"
    if os.environ.get("SUBFLOOR_WRITE_EXPECTED"):
        expected.write_text(said, "utf-8")
    assert said == expected.read_text("utf-8")
