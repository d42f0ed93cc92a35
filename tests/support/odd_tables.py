"""Images of disks whose tables no single tool would make today: overlapping, nested, several at once, of a larger disk.

Each is made in a file, by the tools that leave such disks behind or by bytes, so that it can be put on any disk.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from loop_disks import run

MIB = 1 << 20
SIZE = 64 * MIB
"""How large each image is, in bytes."""

Extents = tuple[tuple[int, int], ...]


def put(image: Path, at: int, data: bytes) -> None:
    with image.open("r+b") as file:
        file.seek(at)
        file.write(data)


def mbr(*entries: tuple[int, int, int]) -> bytes:
    """A first sector: type, start and size of each entry, in sectors of 512 bytes."""
    slots = b"".join(struct.pack("<B3sB3sII", 0, bytes(3), kind, bytes(3), at, size) for kind, at, size in entries)
    return bytes(440) + b"disk\0\0" + slots.ljust(64, b"\0") + b"\x55\xaa"


def put_gpt(image: Path, extents: Extents, sectors: int = SIZE // 512) -> None:
    """Both copies of a table with these partitions, first and last sector of each, whatever sense they make."""
    linux = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le
    entries = b"".join(
        struct.pack("<16s16sQQQ72s", linux, uuid.UUID(int=number).bytes_le, first, last, 0, b"d\0a\0t\0a\0")
        for number, (first, last) in enumerate(extents, 1)
    ).ljust(128 * 128, b"\0")
    put(image, 0, mbr((0xEE, 1, sectors - 1)))
    for here, there, table in ((1, sectors - 1, 2), (sectors - 1, 1, sectors - 33)):
        put(image, here * 512, _header(here, there, table, sectors, entries))
        put(image, table * 512, entries)


def _header(here: int, there: int, table: int, sectors: int, entries: bytes) -> bytes:
    label, crc = uuid.UUID(int=99).bytes_le, zlib.crc32(entries)
    rest = (0, here, there, 34, sectors - 34, label, table, 128, 128, crc)
    bare = struct.pack("<8s4sIIIQQQQ16sQIII", b"EFI PART", b"\0\0\1\0", 92, 0, *rest)
    return bare[:16] + struct.pack("<I", zlib.crc32(bare)) + bare[20:]


def put_ext4(image: Path, start: int, size: int, label: str = "photos") -> None:
    """A filesystem at a place, in bytes."""
    part = image.with_suffix(".part")
    part.write_bytes(b"")
    run("truncate", "--size", size, part)
    run("mkfs.ext4", "-q", "-F", "-L", label, part)
    run("dd", f"if={part}", f"of={image}", "bs=4096", f"seek={start // 4096}", "conv=notrunc,sparse", "status=none")
    part.unlink()


def _plain_gpt(image: Path) -> None:
    run("sfdisk", "--quiet", image, stdin=b"label: gpt\nsize=20M\nsize=20M\n,\n")
    put_ext4(image, MIB, 20 * MIB)
    put_ext4(image, 21 * MIB, 20 * MIB, "music")


def _logical(image: Path) -> None:
    table = (
        b"label: dos\n1: start=2048,size=16M,type=83\n2: size=40M,type=5\n5: size=10M,type=83\n6: size=16M,type=82\n"
    )
    run("sfdisk", "--quiet", image, stdin=table)
    put_ext4(image, MIB, 16 * MIB)
    put_ext4(image, 18 * MIB, 10 * MIB, "music")


def _overlapping_mbr(image: Path) -> None:
    put(image, 0, mbr((0x83, 2048, 60000), (0x83, 32768, 60000), (0x83, 2048, 60000), (0x83, 4096, 8192)))
    put_ext4(image, MIB, 20 * MIB)
    put_ext4(image, 16 * MIB, 20 * MIB, "music")


def _overlapping_gpt(image: Path) -> None:
    put_gpt(image, ((2048, 65535), (32768, 98303), (2048, 65535), (34, 2047)))
    put_ext4(image, MIB, 15 * MIB)
    put_ext4(image, 16 * MIB, 20 * MIB, "music")


def _iso(image: Path) -> None:
    """An installer's, as isohybrid makes them: an MBR, a GPT and an Apple map at once, over an ISO and its ESP."""
    tree, code, made = image.with_suffix(".tree"), image.with_suffix(".code"), image.with_suffix(".iso")
    tree.mkdir()
    (tree / "isolinux.bin").write_bytes(bytes(2048))
    (tree / "efi.img").write_bytes(bytes(4 * MIB))
    run("mkfs.fat", "-n", "EFIBOOT", tree / "efi.img")
    code.write_bytes(b"\x33\xed" + b"\x90" * 30 + bytes(400))
    bios = ("-isohybrid-mbr", code, "-c", "boot.cat", "-b", "isolinux.bin", "-no-emul-boot", "-boot-load-size", "4")
    uefi = ("-boot-info-table", "-eltorito-alt-boot", "-e", "efi.img", "-no-emul-boot")
    maps = ("-isohybrid-gpt-basdat", "-isohybrid-apm-hfsplus")
    run("xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", "INSTALLER", *bios, *uefi, *maps, "-o", made, tree)
    run("dd", f"if={made}", f"of={image}", "bs=1M", "conv=notrunc", "status=none")


def _iso_in_a_partition(image: Path) -> None:
    inner = image.with_suffix(".inner")
    inner.write_bytes(b"")
    _iso(inner)
    put_gpt(image, ((2048, 120000),))
    run("dd", f"if={inner}", f"of={image}", "bs=1M", "seek=1", "conv=notrunc", "status=none")


def _bsd_inside(image: Path) -> None:
    """A BSD disklabel in a partition of an MBR, whose partitions the kernel gives numbers from 5 on."""
    start = 2048
    label = bytearray(512)
    parts = ((16384, start + 1024, 7), (16384, start + 32768, 7), (100000, start, 0))
    struct.pack_into("<IHH", label, 0, 0x82564557, 0, 0)
    struct.pack_into("<I", label, 40, 512)
    struct.pack_into("<IHH", label, 132, 0x82564557, 0, len(parts))
    for at, (size, offset, kind) in enumerate(parts):
        struct.pack_into("<IIIBBH", label, 148 + 16 * at, size, offset, 0, kind, 0, 0)
    words = struct.unpack("<256H", label)
    check = 0
    for word in words[: (148 + 16 * len(parts)) // 2]:
        check ^= word
    struct.pack_into("<H", label, 136, check)
    put(image, 0, mbr((0xA5, start, 100000)))
    put(image, (start + 1) * 512, bytes(label))
    put_ext4(image, (start + 32768) * 512, 8 * MIB)


def _chain_that_bites_itself(image: Path) -> None:
    """An extended partition whose chain of tables comes back to its beginning."""
    put(image, 0, mbr((0x83, 2048, 16384), (0x05, 20480, 81920)))
    put(image, 20480 * 512, mbr((0x83, 2048, 8192), (0x05, 0, 81920)))
    put_ext4(image, MIB, 8 * MIB)


def _mbr_of_a_larger_disk(image: Path) -> None:
    put(image, 0, mbr((0x83, 2048, 32768), (0x83, 40960, 1 << 21), (0x83, 1 << 22, 1 << 20)))
    put_ext4(image, MIB, 16 * MIB)
    put_ext4(image, 20 * MIB, 40 * MIB, "root")


def _gpt_of_a_larger_disk(image: Path) -> None:
    run("truncate", "--size", 256 * MIB, image)
    run(
        "sfdisk", "--quiet", image, stdin=b"label: gpt\nstart=2048,size=16M\nsize=100M,name=root\nsize=100M,name=home\n"
    )
    put_ext4(image, MIB, 16 * MIB)
    put_ext4(image, 17 * MIB, 40 * MIB, "root")
    run("truncate", "--size", SIZE, image)


ODD: Mapping[str, Callable[[Path], None]] = {
    "plain-gpt": _plain_gpt,
    "plain-mbr-with-logical-partitions": _logical,
    "overlapping-mbr": _overlapping_mbr,
    "overlapping-gpt": _overlapping_gpt,
    "installer-iso": _iso,
    "installer-iso-in-a-partition": _iso_in_a_partition,
    "bsd-label-in-an-mbr": _bsd_inside,
    "chain-of-tables-in-a-circle": _chain_that_bites_itself,
    "mbr-of-a-larger-disk": _mbr_of_a_larger_disk,
    "gpt-of-a-larger-disk": _gpt_of_a_larger_disk,
}
"""By name: what makes such an image of a file that is there, of no particular size."""


def make(kind: str, image: Path) -> Path:
    """The image of a kind, ``SIZE`` bytes large."""
    image.write_bytes(b"")
    run("truncate", "--size", SIZE, image)
    ODD[kind](image)
    assert image.stat().st_size == SIZE
    return image
