"""The grid of aligned sectors: libparted's rule, but for sizes that cannot be true."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subfloor.storage.alignment import Grid, optimal


@pytest.mark.parametrize(
    ("sector", "physical", "minimum_io", "optimal_io", "offset", "grid"),
    [
        (512, 512, 512, 0, 0, Grid(2048)),
        (512, 4096, 4096, 0, 0, Grid(2048)),
        (4096, 4096, 4096, 0, 0, Grid(256)),
        (512, 512, 65536, 65536, 0, Grid(2048)),
        (512, 512, 524288, 1572864, 0, Grid(3072)),  # a stripe of 1.5 MiB
        (512, 4096, 4096, 4 << 20, 0, Grid(8192)),
        (512, 4096, 4096, 33553920, 0, Grid(2048)),  # 65535 sectors: a USB bridge's, off every 4 KiB
        (512, 512, 512, 33553920, 0, Grid(2048)),
        (512, 4096, 4096, 0, 3584, Grid(2048, 7)),
        (512, 512, 512, 0, -1, Grid(2048)),
    ],
    ids=str,
)
def test_the_grid_follows_the_queue_limits_case_39_41(
    sector: int, physical: int, minimum_io: int, optimal_io: int, offset: int, grid: Grid
) -> None:
    found = optimal(
        sector=sector, physical=physical, minimum_io=minimum_io, optimal_io=optimal_io, alignment_offset=offset
    )
    assert found == grid


@given(grain=st.integers(1, 1 << 16), offset=st.integers(0, 1 << 10), sector=st.integers(0, 1 << 44))
def test_up_and_down_are_the_nearest_aligned_sectors(grain: int, offset: int, sector: int) -> None:
    grid = Grid(grain, offset)
    up, down = grid.up(sector), grid.down(sector)
    assert grid.aligned(up) and grid.aligned(down)
    assert down <= sector <= up and up - down in (0, grain)
