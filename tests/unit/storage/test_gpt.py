"""Tables read from bytes, held against what sfdisk itself writes and says."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import fuzzed
from subfloor.storage import gpt

DISK = 64 << 20
LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
LABEL = UUID("11111111-2222-5333-8444-555555555555")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.touch()
    with path.open("r+b") as file:
        file.truncate(DISK)
    return path


def read(image: Path, sector: int = 512) -> gpt.Gpt | None:
    data = image.read_bytes()
    return gpt.parse(data[:65536], data[-65536:], sector=sector, sectors=len(data) // sector)


def write(image: Path, table: gpt.Gpt) -> None:
    subprocess.run(
        ["/usr/sbin/sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--wipe", "never", image],
        input=gpt.script(table),
        check=True,
        capture_output=True,
    )


def smash(image: Path, at: int, length: int = 64) -> None:
    with image.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * length)


def a_table(*entries: gpt.Entry) -> gpt.Gpt:
    return replace(gpt.blank(LABEL, DISK // 512, 512), entries=entries)


def an_entry(number: int = 1, name: str = "nix", start: int = 2048) -> gpt.Entry:
    return gpt.Entry(number, start, 2048, LINUX, UUID(int=number), name)


def test_a_blank_disk_has_no_table(image: Path) -> None:
    assert read(image) is None


def test_an_empty_table_is_read_back_as_written(image: Path) -> None:
    write(image, a_table())
    assert read(image) == a_table()


def test_numbers_may_skip_and_come_in_any_order(image: Path) -> None:
    table = a_table(an_entry(2, start=8192), an_entry(5, start=2048, name="first"))
    write(image, table)
    assert read(image) == table


def test_sfdisk_reads_the_table_as_we_do(image: Path) -> None:
    write(image, a_table(an_entry(1), an_entry(3, "x y", 8192)))
    said = subprocess.run(["/usr/sbin/sfdisk", "--json", image], check=True, capture_output=True).stdout
    listed = json.loads(said)["partitiontable"]
    seen = read(image)
    assert seen
    assert UUID(listed["id"]) == seen.id
    assert (listed["firstlba"], listed["lastlba"]) == (seen.first_lba, seen.last_lba)
    theirs = [(p["start"], p["size"], UUID(p["type"]), UUID(p["uuid"]), p["name"]) for p in listed["partitions"]]
    assert theirs == [(e.start, e.size, e.type, e.uuid, e.name) for e in seen.entries]


names = st.text(
    st.characters(min_codepoint=1, max_codepoint=0xFFFF, exclude_categories=["Cs"]), min_size=1, max_size=36
).filter(gpt.expressible)


@fuzzed(25)
@given(name=names, attrs=st.sets(st.sampled_from([0, 1, 2, 48, 60, 62, 63])))
def test_any_expressible_name_survives_sfdisk_case_6(image: Path, name: str, attrs: set[int]) -> None:
    table = a_table(replace(an_entry(), name=name, attrs=sum(1 << bit for bit in attrs)))
    write(image, table)
    assert read(image) == table


@pytest.mark.parametrize("name", ["𝄞", "a" * 37, "nul\0", "\udc80"])
def test_names_that_sfdisk_would_lose_are_not_expressible_case_5(name: str) -> None:
    assert not gpt.expressible(name)


@pytest.mark.parametrize(
    ("at", "damage"),
    [
        (512, "primary table"),
        (1024, "primary table"),
        (DISK - 512, "backup table"),
        (DISK - 33 * 512, "backup table"),
        (440, "protective MBR"),
    ],
    ids=["primary-header", "primary-entries", "backup-header", "backup-entries", "protective-mbr"],
)
def test_a_damaged_copy_is_reported_and_repaired_by_any_write_case_24(image: Path, at: int, damage: str) -> None:
    table = a_table(an_entry())
    write(image, table)
    smash(image, at)
    seen = read(image)
    assert seen and replace(seen, taken=frozenset()) == replace(table, damage=frozenset({damage}))
    assert seen.taken == ({gpt.FIRST_SECTOR} if at == 440 else frozenset())
    write(image, table)
    assert read(image) == table


def test_a_protective_mbr_with_the_old_disk_size_is_repaired_case_43(image: Path) -> None:
    """A power cut leaves it, when a disk has grown: sfdisk writes it last of all."""
    table = a_table(an_entry())
    write(image, table)
    with image.open("r+b") as file:
        file.seek(446 + 12)
        file.write((DISK // 1024).to_bytes(4, "little"))
    assert read(image) == replace(table, damage=frozenset({"protective MBR of another length"}))
    write(image, table)
    assert read(image) == table
    assert not subprocess.run(["sfdisk", "--verify", image], check=True, capture_output=True).stderr


def test_with_both_copies_damaged_there_is_no_table_case_25(image: Path) -> None:
    write(image, a_table(an_entry()))
    smash(image, 512)
    smash(image, DISK - 512)
    assert read(image) is None


def test_differing_copies_are_reported(image: Path) -> None:
    write(image, a_table(an_entry()))
    old = image.read_bytes()[-33 * 512 :]
    write(image, a_table(an_entry(name="other")))
    with image.open("r+b") as file:
        file.seek(DISK - len(old))
        file.write(old)
    seen = read(image)
    assert seen and seen.damage == {"the two tables differ"} and seen.entries[0].name == "other"


def test_a_grown_disk_has_its_backup_in_the_wrong_place_case_43(image: Path) -> None:
    table = a_table(an_entry())
    write(image, table)
    with image.open("r+b") as file:
        file.truncate(2 * DISK)
    seen = read(image)
    assert seen and seen.damage == {"backup table not at the end of the disk"}
    _, last = gpt.usable(2 * DISK // 512, 512)
    write(image, replace(table, last_lba=last))
    assert read(image) == replace(table, last_lba=last)


def test_a_shrunk_disk_does_not_hide_its_table_case_44(image: Path) -> None:
    write(image, a_table(an_entry()))
    with image.open("r+b") as file:
        file.truncate(DISK // 2)
    seen = read(image)
    assert seen and seen.damage == {"backup table not at the end of the disk"}


def test_a_table_for_512_byte_sectors_is_not_one_for_4096_case_40(image: Path) -> None:
    write(image, a_table(an_entry()))
    assert read(image, sector=4096) is None


def test_a_longer_table_keeps_its_length_case_45(image: Path) -> None:
    table = replace(gpt.blank(LABEL, DISK // 512, 512, length=256), entries=(an_entry(200),))
    write(image, table)
    assert read(image) == table


@fuzzed(100)
@given(st.binary(max_size=4096), st.binary(max_size=4096))
def test_random_bytes_are_neither_a_table_nor_an_error(head: bytes, tail: bytes) -> None:
    assert gpt.parse(head, tail, sector=512, sectors=1 << 20) is None


def read_with(image: Path, *places: tuple[int, int], sector: int = 512) -> gpt.Gpt | None:
    """The table, with so many bytes from these sectors on read besides the ends."""
    data = image.read_bytes()
    pieces = {at: data[at * sector : at * sector + length] for at, length in places}
    return gpt.parse(data[:65536], data[-65536:], sector=sector, sectors=len(data) // sector, elsewhere=pieces)


def grown(image: Path) -> tuple[tuple[int, int], ...]:
    """Twice as large; where the second copy is then."""
    with image.open("r+b") as file:
        file.truncate(2 * DISK)
    last = DISK // 512 - 1
    return (last, 512), (last - 32, 32 * 512)


def test_bytes_are_those_that_sfdisk_writes(image: Path) -> None:
    table = a_table(an_entry(), replace(an_entry(5, "x y", 8192), attrs=1 << 60 | 4))
    write(image, table)
    data = image.read_bytes()
    assert gpt.header_in_bytes(table, DISK // 512, 512) == data[512:1024]
    assert gpt.entries_in_bytes(table) == data[1024 : 1024 + 128 * 128]
    assert len(gpt.header_in_bytes(table, DISK // 4096, 4096)) == 4096


@pytest.mark.parametrize("torn", [False, True])
def test_the_copy_at_the_old_end_is_read_if_no_other_is_valid(image: Path, torn: bool) -> None:
    """The protective MBR says where it is; and the first header, where its checksum alone does not hold."""
    table = a_table(an_entry())
    write(image, table)
    places = grown(image)
    with image.open("r+b") as file:
        file.seek(446 if torn else 512)
        file.write(bytes(66 if torn else 512))
    if torn:
        smash(image, 512 + 16, 4)
    assert read(image) is None
    seen = read_with(image, *places)
    damage = {"primary table", gpt.MOVED} | ({"protective MBR"} if torn else set())
    assert seen == replace(table, damage=frozenset(damage))
    assert gpt.is_at_old_end(seen)


def test_data_in_the_place_of_a_copy_is_reported_with_a_copy_at_the_old_end(image: Path) -> None:
    write(image, a_table(an_entry()))
    places = grown(image)
    smash(image, 512, 4096)
    smash(image, 2 * DISK - 512)
    seen = read_with(image, *places)
    assert seen and seen.taken == {gpt.FIRST_COPY, gpt.SECOND_COPY}


def test_no_other_place_is_searched_if_a_table_is_valid(image: Path) -> None:
    write(image, a_table(an_entry()))
    places = grown(image)
    write(image, replace(gpt.blank(UUID(int=7), 2 * DISK // 512, 512)))
    seen = read_with(image, *places)
    assert seen and seen.id == UUID(int=7) and not seen.damage


def test_moved_entries_are_read_where_the_header_points(image: Path) -> None:
    subprocess.run(["/usr/sbin/sgdisk", "-o", "-j", "2016", "-n", "1:4096:+1M", image], check=True, capture_output=True)
    seen = read_with(image, (2016, 128 * 128))
    assert seen and not seen.damage and seen.array == 2016 and len(seen.entries) == 1
    spoilt = read_with(image, (2016, 100))
    assert spoilt and spoilt.damage == {"primary table"}
