"""`import disko`: each configuration in data/disko becomes the tasks that were written by hand beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import whole_playbooks
from places import DATA
from subfloor.cli import cli

CASES = sorted(path for path in (DATA / "disko").iterdir() if path.suffix in (".nix", ".json"))


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(cli, ["import", "disko", *map(str, arguments)])


def given(case: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(case.with_suffix(".yml").read_text())
    return loaded


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_configuration_becomes_a_playbook(case: Path, tmp_path: Path) -> None:
    expected = given(case)
    result = run(case, *expected.get("arguments", ()))
    missing = [line.split(": ")[1] for line in result.stderr.splitlines()[1:] if line.startswith("  /")]
    assert missing == expected["missing"], result.stderr
    (play,) = yaml.safe_load(result.stdout)
    assert play["tasks"] == expected["tasks"]
    assert result.exit_code == (6 if missing else 0)
    for words in expected.get("says", ()):
        assert words in result.output
    for place in missing:
        assert f"#   {place}: " in result.stdout
    path = tmp_path / "play.yml"
    path.write_text(result.stdout)
    entries = whole_playbooks.entries_of(path, {})
    assert len(entries) == len(expected["tasks"])
