"""Where partitions go."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from subfloor.storage import allocation, gpt
from subfloor.storage.alignment import Grid

GRID = Grid(2048)
SECTORS = 1 << 21


def table(*extents: tuple[int, int]) -> gpt.Gpt:
    entries = tuple(
        gpt.Entry(number, start, size, UUID(int=1), UUID(int=number), f"p{number}")
        for number, (start, size) in enumerate(extents, 1)
    )
    return replace(gpt.blank(UUID(int=0), SECTORS, 512), entries=entries)


def test_the_first_partition_of_a_blank_disk_starts_at_1_mib() -> None:
    assert allocation.start_for(GRID, table(), None, 4096) == (2048, 4096)


def test_the_rest_ends_on_the_grid() -> None:
    assert allocation.start_for(GRID, table((2048, 2048)), None, None) == (4096, SECTORS - 2048 - 4096)


def test_the_rest_is_the_largest_space() -> None:
    assert allocation.start_for(GRID, table((2048, 2048), (1 << 20, 1 << 20)), None, None) == (4096, (1 << 20) - 4096)


def test_a_space_between_two_partitions_is_used_when_it_is_large_enough() -> None:
    among = table((2048, 2048), (8192, 2048))
    assert allocation.start_for(GRID, among, None, 4096) == (4096, 4096)
    assert allocation.start_for(GRID, among, None, 4097) == (10240, 4097)


def test_exactly_enough_and_one_grain_too_little_case_42() -> None:
    free = SECTORS - 2048 - 2048
    assert allocation.start_for(GRID, table(), None, free) == (2048, free)
    assert allocation.start_for(GRID, table(), None, free + 2048) is None


def test_a_declared_start_is_kept_or_refused_case_2() -> None:
    among = table((4096, 2048))
    assert allocation.start_for(GRID, among, 2048, 2048) == (2048, 2048)
    assert allocation.start_for(GRID, among, 2048, 4096) is None
    assert allocation.start_for(GRID, among, 4096, 2048) is None
    assert allocation.start_for(GRID, among, 0, 2048) is None
    assert allocation.start_for(GRID, among, 6144, None) == (6144, SECTORS - 2048 - 6144)


extents = st.lists(st.tuples(st.integers(40, SECTORS - 5000), st.integers(1, 4000)), max_size=6)


@given(extents, st.integers(1, 1 << 20) | st.none(), st.sampled_from([1, 8, 2048, 3072]), st.integers(0, 7))
def test_a_new_partition_never_overlaps_and_is_aligned(
    taken: list[tuple[int, int]], grains: int | None, grain: int, offset: int
) -> None:
    grid, among = Grid(grain, offset if grain > 8 else 0), table(*taken)
    size = None if grains is None else -(-grains // grain) * grain
    found = allocation.start_for(grid, among, None, size)
    if found is None:
        assert size is None or allocation.largest_gap(grid, among)[1] < size
        return
    start, length = found
    assert grid.aligned(start) and grid.aligned(start + length)
    assert among.first_lba <= start and start + length - 1 <= among.last_lba
    assert all(start + length <= entry.start or entry.end <= start for entry in among.entries)
