"""md arrays: what they are called, and how large they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subfloor.storage.arrays import check_name, data_size, four_groups, label_of, name_in
from subfloor.storage.raid_levels import Geometry, check_chunk, check_layout, geometry, layout_in
from subfloor.storage.sizes import MIB


def test_the_superblock_takes_room_of_each_member() -> None:
    assert data_size(200 * MIB) == 184 * MIB and data_size(200 * MIB, "1.0") == 199 * MIB
    assert data_size(MIB) == data_size(MIB, "1.0") == 0


ROOMS = [284 * MIB, 294 * MIB, 284 * MIB + 7 * 512, 384 * MIB]
"""What mdadm 4.2 and Linux 6.1 were given when they made the sizes below; see tests/vm/test_md_arrays.py."""


@pytest.mark.parametrize(
    ("level", "chunk", "layout", "count", "size", "each"),
    [
        (0, 0, "", 2, 606076928, 0),
        (0, 0, "", 4, 1306525696, 0),
        (0, 65536, "", 3, 903872512, 0),
        (1, 0, "", 2, 297795584, 290816),
        (4, 0, "", 3, 595591168, 290816),
        (5, 0, "", 3, 595591168, 290816),
        (6, 0, "", 4, 595591168, 290816),
        (10, 0, "", 3, 446693376, 290816),
        (10, 0, "f2", 3, 446693376, 290816),
        (10, 0, "o2", 3, 446693376, 290816),
        (10, 0, "n3", 3, 297795584, 290816),
        (10, 0, "f3", 3, 297271296, 290304),
        (10, 65536, "n2", 4, 595591168, 290816),
        (10, 65536, "f2", 4, 595591168, 290816),
        (10, 65536, "n2", 2, 297795584, 290816),
    ],
)
def test_the_size_of_each_level_is_that_of_mdadm(
    level: int, chunk: int, layout: str, count: int, size: int, each: int
) -> None:
    shape = geometry(level, chunk, layout)
    rooms = ROOMS[:count]
    assert (shape.size(rooms), shape.each(rooms)) == (size, each * 1024)


@given(
    shape=st.builds(
        geometry,
        st.just(10),
        st.sampled_from((4096, 65536, 1 << 19, 1 << 21)),
        st.from_regex(r"[nfo][2-4]", fullmatch=True),
    ),
    rooms=st.lists(st.integers(16 * MIB, 1 << 40), min_size=4, max_size=9),
)
def test_copies_never_need_more_than_the_smallest_member_has(shape: Geometry, rooms: list[int]) -> None:
    given, each = shape.given(rooms), shape.each(rooms)
    assert 0 < each <= given <= min(rooms)
    assert shape.size(rooms) <= each * len(rooms)


def test_what_a_level_can_lose_and_needs() -> None:
    assert [geometry(level).may_lose(4) for level in (0, 1, 4, 5, 6)] == [0, 3, 1, 1, 2]
    assert geometry(10).may_lose(4) == 2 and geometry(10, 0, "n3").may_lose(4) == 2 and geometry(10).may_lose(3) == 1
    assert [geometry(level).fewest for level in (0, 1, 4, 5, 6, 10)] == [2, 2, 3, 3, 4, 2]
    assert geometry(10, 0, "f4").fewest == 4


@pytest.mark.parametrize(
    ("level", "chunk", "words"), [(1, MIB, "no chunks"), (5, 3 * MIB, "power of two"), (5, 2048, "power of two")]
)
def test_chunks_that_a_level_does_not_have(level: int, chunk: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_chunk(level, chunk)


@pytest.mark.parametrize(
    ("level", "layout", "words"),
    [(5, "n2", "only level 10"), (10, "left-symmetric", "near, far, offset"), (10, "n1", "near, far, offset")],
)
def test_layouts_that_a_level_does_not_have(level: int, layout: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_layout(level, layout)


@pytest.mark.parametrize(
    ("number", "layout"), [(258, "n2"), (513, "f2"), (66049, "o2"), (259, "n3"), (769, "f3"), (0x20201, "f2")]
)
def test_the_layout_in_the_kernels_number(number: int, layout: str) -> None:
    assert layout_in("raid10", number) == layout and not layout_in("raid5", 2)


@pytest.mark.parametrize("name", ["root", "r", "a.b", "my-data_", "a" * 27])
def test_names(name: str) -> None:
    check_name(name)
    assert name_in(label_of(name)) == name_in(f"host:{name}") == name_in(name) == name


@pytest.mark.parametrize("name", ["", "0", "9a", "root1", "rp1", "a/b", "a b", "a" * 28, "any:root", "root\n"])
def test_names_that_an_array_cannot_have(name: str) -> None:
    with pytest.raises(ValueError, match=r"is (not a valid name|too long)"):
        check_name(name)


def test_a_uuid_in_four_groups() -> None:
    assert four_groups("840b7ccd-acf7-5f94-8af2-948761cab319") == "840b7ccd:acf75f94:8af29487:61cab319"
