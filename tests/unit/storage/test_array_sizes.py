"""md arrays: what they are called, and how large they are."""

from __future__ import annotations

import pytest

from subfloor.storage.arrays import check_name, data_size, four_groups, label_of, name_in
from subfloor.storage.sizes import MIB


def test_the_superblock_takes_room_of_each_member() -> None:
    assert data_size(200 * MIB) == data_size(200 * MIB + 5) == 184 * MIB
    assert data_size(MIB) == 0


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
