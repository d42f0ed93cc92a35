"""What is read of a volume group, from recorded reports of LVM."""

from __future__ import annotations

import json

import pytest

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.observe.volume_group import Group, Logical, Membership, NamedGroup, Physical, PhysicalVolume

ONE = {
    "vg": [
        {
            "vg_name": "po-ol",
            "vg_uuid": "cdoF30-T8eK-jZDe-Aic2-vRek-z2Qh-sWvqQr",
            "vg_tags": "subfloor.7ab5d0b6-3a5a-5c0c-9e0e-5bf100f5eed5,theirs",
            "vg_extent_size": "4194304",
            "vg_free_count": "113",
        }
    ],
    "pv": [
        {
            "pv_name": "/dev/loop10",
            "pv_uuid": "8ab5d0-b63a-5a5c-0c9e-0e5b-f100-f5eed5",
            "pv_pe_count": "49",
            "pv_missing": "",
            "pv_in_use": "used",
            "pv_mda_count": "1",
        },
        {
            "pv_name": "[unknown]",
            "pv_uuid": "7ab5d0-b63a-5a5c-0c9e-0e5b-f100-f5eed5",
            "pv_pe_count": "74",
            "pv_missing": "missing",
            "pv_in_use": "used",
            "pv_mda_count": "0",
        },
    ],
    "lv": [
        {
            "lv_name": "root",
            "lv_uuid": "q5vLUR-aaaa-bbbb-cccc-dddd-eeee-ffffff",
            "lv_tags": "subfloor.x.unfinished",
            "lv_size": "41943040",
            "lv_layout": "linear",
            "pool_lv": "",
        }
    ],
    "pvseg": [],
    "seg": [{"lv_name": "root", "stripes": "1"}],
}
ORPHAN = {
    "pv": [
        {
            "pv_name": "/dev/sdb",
            "pv_uuid": "x",
            "pv_pe_count": "0",
            "pv_missing": "",
            "pv_in_use": "",
            "pv_mda_count": "0",
        }
    ]
}


def _seen(*reports: object, name: str = "po-ol") -> Group | None:
    return NamedGroup(name).parse(Output(json.dumps({"report": reports}).encode()))


def test_a_group_with_its_volumes_and_tags() -> None:
    found = _seen(ORPHAN, ONE)
    assert found == Group(
        name="po-ol",
        extent=4 << 20,
        tags=frozenset({"subfloor.7ab5d0b6-3a5a-5c0c-9e0e-5bf100f5eed5", "theirs"}),
        physical=(
            Physical("7ab5d0-b63a-5a5c-0c9e-0e5b-f100-f5eed5", 74, missing=True),
            Physical("8ab5d0-b63a-5a5c-0c9e-0e5b-f100-f5eed5", 49),
        ),
        logical=(Logical("root", 10, frozenset({"subfloor.x.unfinished"})),),
        free=113,
    )
    assert found is not None and found.is_partial and found.extents == 123
    dm_uuid = "LVM-cdoF30T8eKjZDeAic2vRekz2QhsWvqQrq5vLURaaaabbbbccccddddeeeeffffff"
    assert found.dm_uuid(found.logical[0]) == dm_uuid


def test_words_between_the_lines_of_a_report_are_left_out() -> None:
    text = json.dumps({"report": [ONE]}, indent=2).replace("[", "[\n  Retrying metadata scan.", 1)
    found = NamedGroup("po-ol").parse(Output(text.encode()))
    assert found is not None and found.extents == 123


def test_groups_of_the_same_name_are_told_from_one() -> None:
    found = _seen(ONE, ONE)
    assert found is not None and found.namesakes == 1


def test_no_group_of_this_name() -> None:
    assert _seen(ORPHAN, ONE, name="pool") is None
    assert NamedGroup("pool").parse(Output(b"", 127)) is None


def test_lvm_that_fails_is_no_answer() -> None:
    with pytest.raises(LookFailed, match="volume group pool cannot be looked at"):
        NamedGroup("pool").parse(Output(b"", 5))
    with pytest.raises(ValueError, match="lvm"):
        NamedGroup("pool").parse(Output(b'{"report": [{"vg": [{}]}]}'))


def test_where_a_physical_volume_belongs() -> None:
    output = Output(json.dumps({"report": [ORPHAN, ONE]}).encode())
    inside = PhysicalVolume("8ab5d0-b63a-5a5c-0c9e-0e5b-f100-f5eed5").parse(output)
    assert inside == Membership("po-ol", in_use=True)
    assert PhysicalVolume("x").parse(output) == Membership("", readable=False)
    assert PhysicalVolume("y").parse(output) == Membership()
