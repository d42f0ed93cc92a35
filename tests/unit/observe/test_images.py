"""What the kernel says of the images of a RAID volume (dm-raid.rst)."""

from __future__ import annotations

import pytest

from subfloor.core.machine import Output
from subfloor.observe.images import Images, ImagesOf


def seen(text: str, status: int = 0) -> Images | None:
    return ImagesOf("/dev/mapper/pool-root").parse(Output(text.encode(), status))


@pytest.mark.parametrize(
    ("health", "failed", "syncing"), [("AA", 0, False), ("Aa", 0, True), ("aa", 0, True), ("AD", 1, False)]
)
def test_each_image_has_a_letter(health: str, failed: int, syncing: bool) -> None:
    found = seen(f"0 98304 raid raid1 2 {health} 98304/98304 idle 0 0 -\n")
    assert found is not None and (found.count, found.failed, found.syncing) == (2, failed, syncing)


def test_with_the_name_before_it() -> None:
    assert seen("pool-root: 0 98304 raid raid5_ls 3 AAA 98304/98304 idle 0 0 -\n") == Images(3)


def test_what_is_not_active_has_none() -> None:
    assert seen("") is None and seen("", 1) is None
