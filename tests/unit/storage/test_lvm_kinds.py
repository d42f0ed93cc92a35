"""Kinds of logical volumes: how many extents they take, whatever the order of the tasks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subfloor.storage.lvm_kinds import KINDS, chunk, kind_of, metadata, shape
from subfloor.storage.sizes import MIB

EXTENT = 4 * MIB


@pytest.mark.parametrize(
    ("kind", "stripes", "copies", "extents", "takes"),
    [
        ("linear", 0, 0, 12, 12),
        ("striped", 2, 0, 12, 12),
        ("raid0", 2, 0, 12, 12),
        ("raid1", 0, 0, 12, 26),
        ("raid1", 0, 3, 12, 39),
        ("raid4", 2, 0, 12, 21),
        ("raid5", 2, 0, 12, 21),
        ("raid6", 3, 0, 12, 25),
        ("raid10", 2, 2, 12, 28),
        ("thin-pool", 0, 0, 20, 22),
        ("thin", 0, 0, 100, 0),
    ],
)
def test_what_a_volume_takes_of_its_group(kind: str, stripes: int, copies: int, extents: int, takes: int) -> None:
    assert shape(kind, stripes, copies).takes(extents, EXTENT) == takes


def test_a_second_pool_shares_what_is_kept_for_repairs() -> None:
    assert shape("thin-pool").takes(5, EXTENT, spare=1) == 6


@given(kind=st.sampled_from([kind for kind in KINDS if kind != "thin"]), share=st.integers(0, 1 << 24))
def test_a_share_is_never_exceeded_and_nearly_used(kind: str, share: int) -> None:
    found = shape(kind)
    extents = found.within(share, EXTENT)
    assert extents >= 0 and (not extents or found.takes(extents, EXTENT) <= share)
    assert found.rounded(extents) == extents
    assert not extents or share - found.takes(extents, EXTENT) <= 2 * found.images + 40


@pytest.mark.parametrize(
    ("layout", "kind"),
    [
        ("linear", "linear"),
        ("striped", "striped"),
        ("raid,raid5,raid5_ls", "raid5"),
        ("raid,raid10,raid10_near", "raid10"),
        ("thin,pool", "thin-pool"),
        ("thin,sparse", "thin"),
        ("cache", "cache"),
    ],
)
def test_the_kind_in_the_words_of_lvm(layout: str, kind: str) -> None:
    assert kind_of(layout) == kind


def test_the_metadata_of_a_pool_is_64_bytes_for_each_chunk_and_not_over_128_mib() -> None:
    assert (metadata(20, EXTENT), chunk(20, EXTENT)) == (1, 64 << 10)
    assert (metadata(1 << 18, EXTENT), chunk(1 << 18, EXTENT)) == (32, 512 << 10)


@pytest.mark.parametrize(
    ("kind", "stripes", "copies", "words"),
    [
        ("linear", 2, 0, "stripes: a volume of type linear"),
        ("raid6", 2, 0, "stripes: type raid6 has 3"),
        ("raid5", 0, 2, "copies: a volume of type raid5"),
        ("raid1", 0, 1, "copies: 2 or more"),
    ],
)
def test_what_a_kind_does_not_have(kind: str, stripes: int, copies: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        shape(kind, stripes, copies)
