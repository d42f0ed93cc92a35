"""The kernel has partitions that the table has not: what another program left when it wrote a new table untold."""

from __future__ import annotations

from pathlib import Path

import pytest

from crash.forked import subfloor
from loop_disks import MakeDisk, disk, run
from places import TESTS

pytestmark = pytest.mark.root

__all__ = ["disk"]  # a fixture

PLAY = TESTS / "crash" / "plays" / "beside.yml"


@pytest.mark.parametrize("numbers", [(3,), (7,), (3, 9)], ids=str)
def test_partitions_that_are_not_in_the_table_are_removed_from_the_kernel_case_54(
    disk: MakeDisk, numbers: tuple[int, ...]
) -> None:
    vda = disk("64MiB")
    variables = {"disk": vda.node, "seed": f"case-54 {vda.image}", "second_type": "swap", "second_size": "4MiB"}
    words = [str(PLAY), *(word for name, value in variables.items() for word in ("-e", f"{name}={value}"))]
    made = subfloor("apply", *words)
    assert made.status == 0, made.said
    for number in numbers:
        run("addpart", vda.node, number, 100_000 + 8 * number, 8)
    done = subfloor("apply", *words)
    assert done.status == 0, done.said
    assert not [number for number in numbers if Path(vda.partition(number)).exists()]
    assert "in sync" in subfloor("check", *words).said
