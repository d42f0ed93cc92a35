"""The machine's id, on real files: what counts as one, and that the one that is made is one."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest

from subfloor.act.host import Host
from subfloor.act.look import look
from subfloor.core.errors import LookFailed
from subfloor.steps.files import keep_output

PLUGIN = importlib.import_module("subfloor_plugins.machine_id")
ID = "0123456789abcdef0123456789abcdef"


def seen(path: Path) -> str:
    subject = PLUGIN.MachineId(str(path))
    with Host().shell() as shell:
        return str(look(shell, {subject})[subject])


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (f"{ID}\n", "valid"),
        (ID, "valid"),
        ("", "none yet"),
        ("\n", "none yet"),
        ("uninitialized\n", "none yet"),
        (f"{ID}0\n", "invalid"),
        (f"{ID[:-1]}\n", "invalid"),
        (f"{ID.upper()}\n", "invalid"),
        (f"{'0' * 32}\n", "invalid"),
        (f"{ID}\n{ID}\n", "invalid"),
        (f"{ID[:8]}-{ID[8:]}\n", "invalid"),
        ("$(reboot)\n", "invalid"),
    ],
)
def test_valid_and_invalid_ids(tmp_path: Path, content: str, state: str) -> None:
    """As machine-id(5) has it: 32 digits in lower case, not all of them zero."""
    (tmp_path / "it's here").write_text(content)
    assert seen(tmp_path / "it's here") == state


def test_a_missing_id_is_absent_and_an_unreadable_one_a_failed_look(tmp_path: Path) -> None:
    assert seen(tmp_path / "nothing") == "absent"
    (tmp_path / "directory").mkdir()
    with pytest.raises(LookFailed, match="cannot be read"):
        seen(tmp_path / "directory")


def test_each_created_id_is_valid_and_different(tmp_path: Path) -> None:
    made = set()
    for number in range(2):
        path = tmp_path / str(number) / "etc/machine-id"
        for command in keep_output(str(path), PLUGIN._NEW, "0444"):
            subprocess.run(command.argv, check=True)
        assert seen(path) == "valid"
        assert (path.stat().st_mode & 0o777, [each.name for each in path.parent.iterdir()]) == (0o444, ["machine-id"])
        made.add(path.read_text())
    assert len(made) == 2
    # The variant and the version of a random UUID (RFC 9562, section 5.4).
    assert all(re.fullmatch("[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}\n", each) for each in made)


def test_a_program_that_fails_or_prints_nothing_leaves_no_file(tmp_path: Path) -> None:
    for argv in (("false",), ("true",), ("sh", "-c", "echo half; exit 3")):
        commands = keep_output(str(tmp_path / "x"), argv)
        assert subprocess.run(commands[1].argv, check=False).returncode
        assert not (tmp_path / "x").exists()
