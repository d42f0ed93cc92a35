"""Tables as sgdisk, sfdisk and parted make them: what must not change is compared byte for byte."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from subfloor.observe.disk import DiskState
from subfloor.steps.partitioning import rewrite
from subfloor.storage import gpt

SIZE = 64 << 20
SECTORS = SIZE // 512
LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
BOOT_CODE = random.Random(1).randbytes(440) + b"\x11\x22\x33\x44"
LOADER = random.Random(2).randbytes(12 * 1024)


class Image:
    """A disk in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self.resize(SIZE)

    def resize(self, size: int) -> None:
        with self.path.open("r+b") as file:
            file.truncate(size)

    def put(self, at: int, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(at if at >= 0 else self.size + at)
            file.write(data)

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()

    def run(self, *argv: str, stdin: bytes = b"") -> bytes:
        words = [str(self.path) if word == "DISK" else word for word in argv]
        return subprocess.run(words, input=stdin, check=True, capture_output=True).stdout

    @property
    def table(self) -> gpt.Gpt:
        seen = self.parsed()
        assert seen
        return seen

    def parsed(self) -> gpt.Gpt | None:
        data = self.content
        return gpt.parse(data[:65536], data[-65536:], sector=512, sectors=len(data) // 512)

    def rewrite(self, after: gpt.Gpt) -> None:
        """What a task does for such a table, but for telling a kernel."""
        state = DiskState(node=str(self.path), size=self.size, table=self.table)
        for command in rewrite(state, replace(state, table=after)):
            if command.argv[0] != "partx":
                subprocess.run(command.argv, input=command.stdin, check=True, capture_output=True)

    def judge(self) -> None:
        """sgdisk and sfdisk find it sound, and so do we."""
        assert b"No problems found" in self.run("sgdisk", "--verify", "DISK")
        said = subprocess.run(["sfdisk", "--verify", self.path], check=True, capture_output=True)
        assert b"No errors detected" in said.stdout
        assert not self.table.damage and not self.table.taken


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path / "disk.img")


def plain(image: Image) -> None:
    image.run("sgdisk", "-n", "1:4096:+4M", "-c", "1:one", "-n", "3:20480:+4M", "-c", "3:three", "DISK")


def booted(image: Image) -> None:
    plain(image)
    image.put(0, BOOT_CODE)


def hybrid(image: Image) -> None:
    booted(image)
    image.run("sgdisk", "--hybrid", "1:3", "DISK")
    image.put(0, BOOT_CODE)


def relocated(image: Image) -> None:
    image.run("sgdisk", "-j", "64", "-n", "1:4096:+4M", "-n", "3:20480:+4M", "DISK")
    image.put(8192, LOADER)


def by_parted(image: Image) -> None:
    image.run("parted", "-s", "DISK", "mklabel", "gpt", "mkpart", "a", "4MiB", "8MiB", "disk_set", "pmbr_boot", "on")
    image.put(0, BOOT_CODE)


def other_first_sector(image: Image) -> None:
    image.run("sfdisk", "DISK", stdin=b"label: gpt\nfirst-lba: 2048\nlast-lba: 100000\nstart=4096,size=8192,name=x\n")


def odd_entries(image: Image) -> None:
    """A name beyond Unicode's first plane and a reserved attribute, which sfdisk cannot be given."""
    image.run("sgdisk", "-n", "1:4096:+4M", "-A", "1:set:5", "-c", "1:𝄞", "DISK")


TABLES: Mapping[str, Callable[[Image], None]] = {
    made.__name__: made for made in (plain, booted, hybrid, relocated, by_parted, other_first_sector, odd_entries)
}


@pytest.fixture(params=TABLES)
def foreign(request: pytest.FixtureRequest, image: Image) -> Image:
    TABLES[request.param](image)
    return image


def test_a_table_that_other_tools_accept_is_sound(foreign: Image) -> None:
    assert not foreign.table.damage
    assert not foreign.table.taken


def test_adding_a_partition_changes_nothing_else(foreign: Image) -> None:
    before, table = foreign.content, foreign.table
    added = gpt.Entry(7, 40960, 2048, LINUX, UUID(int=7), 'a "name"', attrs=1 << 2)
    foreign.rewrite(replace(table, entries=(*table.entries, added)))
    assert foreign.table == replace(table, entries=(*table.entries, added))
    _nothing_else_changed(before, foreign.content, table, 7)
    foreign.judge()


def test_changing_a_partition_changes_nothing_else(foreign: Image) -> None:
    table = foreign.table
    added = gpt.Entry(7, 40960, 2048, LINUX, UUID(int=7), "seven")
    foreign.rewrite(replace(table, entries=(*table.entries, added)))
    before = foreign.content
    changed = replace(added, size=4096, name="other", attrs=1 << 63)
    foreign.rewrite(replace(table, entries=(*table.entries, changed)))
    assert foreign.table.entries[-1] == changed
    _nothing_else_changed(before, foreign.content, table, 7)
    foreign.rewrite(table)
    assert foreign.table == table
    _nothing_else_changed(before, foreign.content, table, 7)
    foreign.judge()


def _nothing_else_changed(before: bytes, after: bytes, table: gpt.Gpt, number: int) -> None:
    """But for one entry in both arrays, the checksums in both headers, and the slot that protects the table."""
    first, last = table.array * 512, len(before) - 512
    backup = int.from_bytes(before[last + 72 : last + 80], "little") * 512
    at = (number - 1) * 128
    may_change = {0: 446 + 64, 512: 512 + 92, last: last + 92, first + at: first + at + 128}
    may_change[backup + at] = backup + at + 128
    for start, end in sorted(may_change.items()):
        before = before[:start] + after[start:end] + before[end:]
    assert after == before
    slots = [after[at : at + 16] for at in range(446, 510, 16)]
    assert slots[0][4] == 0xEE


def test_a_hybrid_mbr_keeps_its_slots(image: Image) -> None:
    hybrid(image)
    before = image.content[:512]
    assert image.table.hybrid
    table = image.table
    image.rewrite(replace(table, entries=(*table.entries, gpt.Entry(7, 40960, 2048, LINUX, UUID(int=7), "x"))))
    assert image.content[:512] == before
    image.put(-512, bytes(512))
    assert image.table.damage == {"backup table"}
    image.rewrite(replace(image.table, damage=frozenset()))
    assert image.content[:512] == before


ZEROS = (bytes(512), bytes(33 * 512))
DAMAGES: Mapping[str, tuple[int, bytes]] = {
    "primary header gone": (512, ZEROS[0]),
    "primary header spoilt": (512, b"\xff" * 64),
    "primary gone": (512, ZEROS[1]),
    "primary entry spoilt": (1024, b"\xff" * 64),
    "backup header gone": (-512, ZEROS[0]),
    "backup header spoilt": (-512, b"\xff" * 64),
    "backup gone": (-33 * 512, ZEROS[1]),
    "backup entry spoilt": (-33 * 512, b"\xff" * 64),
    "protective slot gone": (446, bytes(16)),
    "signature of the MBR gone": (510, bytes(2)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("made", [plain, booted, other_first_sector, odd_entries])
def test_a_repair_restores_the_table(image: Image, made: Callable[[Image], None], damage: str) -> None:
    made(image)
    image.run("sfdisk", "--disk-id", "DISK", str(image.table.id))  # the protective slot as sfdisk writes it
    before = image.content
    image.put(*DAMAGES[damage])
    assert image.table.damage and not image.table.taken
    image.rewrite(replace(image.table, damage=frozenset()))
    assert _but_for_the_length_of_the_slot(image.content) == _but_for_the_length_of_the_slot(before)
    image.judge()


def _but_for_the_length_of_the_slot(data: bytes) -> bytes:
    return data[:446] + bytes(16) + data[462:]


def test_a_hybrid_mbr_slot_is_kept_when_the_protective_slot_is_repaired(image: Image) -> None:
    hybrid(image)
    before = image.content
    image.put(510, bytes(2))
    assert image.table.damage == {"protective MBR"} and not image.table.taken
    image.rewrite(replace(image.table, damage=frozenset()))
    assert image.content == before


@pytest.mark.parametrize("made", [plain, booted, hybrid, relocated, other_first_sector, odd_entries])
def test_a_grown_disk_is_repaired_and_nothing_moves_but_the_backup(image: Image, made: Callable[[Image], None]) -> None:
    made(image)
    before, table = image.content, image.table
    image.resize(2 * SIZE)
    assert image.table.damage == {gpt.MOVED} and not image.table.taken
    _, last = gpt.usable(2 * SECTORS, 512)
    after = replace(table, last_lba=last)
    image.rewrite(after)
    assert image.table == after
    assert image.content[:446] == before[:446]
    assert image.content[1024 : SIZE - 33 * 512] == before[1024 : SIZE - 33 * 512]
    image.judge()


def _ext4(image: Image) -> None:
    """Its first MiB: mkfs on a file makes holes, and empties the end."""
    end = image.content[1 << 20 :]
    image.run("mkfs.ext4", "-q", "-F", "DISK")
    image.put(1 << 20, end)


PIECES: Mapping[str, tuple[tuple[int, bytes], ...]] = {
    "random bytes": ((0, random.Random(3).randbytes(1 << 20)),),
    "a boot loader at 8 KiB": ((8192, LOADER),),
    "a boot loader at 8 KiB and no header": ((8192, LOADER), (512, bytes(512))),
    "a header of LUKS": ((0, bytes(16384)), (0, b"LUKS\xba\xbe\0\2" + bytes(range(99)))),
    "LUKS without its header": ((0, bytes(16384)), (4096, b'{"keyslots":{}}')),
    "a physical volume": ((512, bytes(16384)), (512, b"LABELONE" + bytes(99))),
    "an array": ((0, bytes(16384)), (4096, bytes.fromhex("fc4e2ba901000000"))),
    "text in the second sector": ((512, b"somebody's notes" * 32),),
    "another disk's header": ((512, b"EFI PART" + bytes(range(84))),),
    "a table of DOS": ((446, b"\x80\0\2\0\x83\xff\xff\xff\0\x08\0\0\0\x10\0\0" + bytes(48)),),
}


@pytest.mark.parametrize("over", [*PIECES, "ext4", "swap"])
def test_data_written_over_the_table_is_not_a_damaged_copy(image: Image, over: str) -> None:
    booted(image)
    if over == "ext4":
        _ext4(image)
    if over == "swap":
        image.run("mkswap", "-f", "DISK")
    for piece in PIECES.get(over, ()):
        image.put(*piece)
    assert image.table.damage
    assert image.table.taken & {gpt.FIRST_SECTOR, gpt.FIRST_COPY}


@pytest.mark.parametrize("at", [-512, -32 * 512, -20 * 512])
@pytest.mark.parametrize("grown", [False, True])
def test_data_in_the_place_of_the_second_copy_is_not_overwritten(image: Image, at: int, grown: bool) -> None:
    plain(image)
    if grown:
        image.resize(2 * SIZE)
    image.put(at, LOADER[:512])
    assert image.table.taken == {gpt.SECOND_COPY}


def test_another_disks_second_copy_is_not_ours(image: Image, tmp_path: Path) -> None:
    """An image was written to a larger disk, at whose end the old backup still is."""
    other = Image(tmp_path / "other.img")
    plain(other)
    plain(image)
    image.put(-33 * 512, other.content[-33 * 512 :])
    assert image.table.taken == {gpt.SECOND_COPY}


@pytest.mark.parametrize("sector", range(32))
def test_a_partly_written_array_is_a_damaged_copy(image: Image, sector: int) -> None:
    """A power cut while entries are written leaves sectors of two states of the table."""
    image.run("sgdisk", *(f"-n{number}:0:+256K" for number in range(1, 100)), "DISK")
    old = image.content[1024 : 1024 + 32 * 512]
    image.run("sgdisk", *(f"-d{number}" for number in range(1, 100)), "-n1:0:+1M", "-n2:0:+1M", "DISK")
    image.put(1024 + sector * 512, old[sector * 512 :])
    assert not image.table.taken
    image.rewrite(replace(image.table, damage=frozenset()))
    image.judge()
