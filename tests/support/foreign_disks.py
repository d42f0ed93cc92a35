"""Other people's disks: everything that may be on a disk that a play finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from loop_disks import LoopDisk, run


def _zfs(disk: LoopDisk) -> None:
    magic = (0x00BAB10C).to_bytes(8, "little")
    for slot in range(4, 12):
        disk.put(128 * 1024 + slot * 1024, magic + bytes(1016))


def _luks(disk: LoopDisk) -> None:
    header = b"LUKS\xba\xbe\x00\x01" + b"aes".ljust(32, b"\0") + b"xts-plain64".ljust(32, b"\0")
    header += b"sha256".ljust(32, b"\0") + (4096).to_bytes(4, "big") + (64).to_bytes(4, "big") + bytes(56)
    disk.put(0, header + b"11111111-2222-4333-8444-555555555555".ljust(40, b"\0") + bytes(380))


def _md(disk: LoopDisk) -> None:
    """A superblock of version 1.0 at the end; its checksum as mdadm computes it."""
    size = disk.image.stat().st_size // 512
    at = (size - 16) & ~7
    block = bytearray(256)
    for offset, width, value in ((0, 4, 0xA92B4EFC), (4, 4, 1), (72, 4, 1), (80, 8, size - 16), (92, 4, 1)):
        block[offset : offset + width] = value.to_bytes(width, "little")
    block[16:32] = b"\x11" * 16
    block[144:152] = at.to_bytes(8, "little")
    total = sum(int.from_bytes(block[i : i + 4], "little") for i in range(0, 256, 4))
    block[216:220] = ((total & 0xFFFFFFFF) + (total >> 32)).to_bytes(4, "little")
    disk.put(at * 512, bytes(block))


def _ntfs(disk: LoopDisk) -> None:
    """Its boot sector, which ends as an MBR does, and the first records of its master file table."""
    boot = bytearray(b"\xeb\x52\x90NTFS    ".ljust(512, b"\0"))
    for offset, width, value in ((11, 2, 512), (13, 1, 8), (21, 1, 0xF8), (40, 8, 1 << 18), (48, 8, 4), (56, 8, 2)):
        boot[offset : offset + width] = value.to_bytes(width, "little")
    boot[64], boot[68], boot[72:80], boot[510:512] = 0xF6, 1, b"\x42" * 8, b"\x55\xaa"
    record = b"FILE" + bytes(16) + (56).to_bytes(2, "little") + bytes(34) + b"\xff" * 4 + bytes(964)
    disk.put(0, bytes(boot))
    disk.put(4 * 4096, record * 8)


def _lvm(disk: LoopDisk) -> None:
    run("pvcreate", "--yes", "--devices", disk.node, disk.node)


def _whole(*argv: str) -> Callable[[LoopDisk], None]:
    return lambda disk: void(run(*argv, disk.node))


def void(_: object) -> None:
    pass


def _mbr(disk: LoopDisk) -> None:
    disk.sfdisk("label: dos\n1: size=64M,type=83\n2: size=300M,type=5\n5: size=100M,type=83\n6: size=100M,type=82\n")
    run("mkfs.ext4", "-q", "-F", "-L", "photos", disk.partition(5))
    run("mkswap", disk.partition(6))


def _gpt(disk: LoopDisk) -> None:
    disk.sfdisk("label: gpt\n2: start=4096,size=100M,name=data\n9: start=200M,size=100M\n")
    run("mkfs.ext4", "-q", "-F", "-L", "photos", disk.partition(2))
    run("mkfs.xfs", "-q", "-f", "-d", "size=80m", "--unsupported", disk.partition(9), check=False)


def table_inside_a_partition(disk: LoopDisk) -> None:
    disk.sfdisk("label: gpt\n1: start=2048,size=200M\n")
    table = b"label: gpt\n1: start=2048,size=20M\n"
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", disk.partition(1), stdin=table)


def _copied_uuids(disk: LoopDisk) -> None:
    uuid = "11111111-1111-4111-8111-111111111111"
    disk.sfdisk(
        "label: gpt\n"
        f"1: start=1M,size=10M,uuid={uuid}\n2: start=20M,size=10M,uuid={uuid}\n"
        "3: start=40M,size=10M,uuid=00000000-0000-0000-0000-000000000000\n"
    )


def _long(disk: LoopDisk) -> None:
    disk.sfdisk("label: gpt\ntable-length: 256\n200: start=2M,size=10M,name=far\n")


def _ambivalent(disk: LoopDisk) -> None:
    run("mkfs.ext4", "-q", "-F", disk.node)
    _zfs(disk)


FOREIGN: Mapping[str, Callable[[LoopDisk], None]] = {
    "mbr-with-logical-partitions-case-26": _mbr,
    "gpt-with-gaps-case-36": _gpt,
    "table-inside-a-partition": table_inside_a_partition,
    "copied-and-zero-uuids-case-35": _copied_uuids,
    "long-table-case-45": _long,
    "whole-ext4-case-27": _whole("mkfs.ext4", "-q", "-F", "-L", "photos"),
    "whole-xfs-case-27": _whole("mkfs.xfs", "-q", "-f"),
    "whole-vfat-case-27": _whole("mkfs.fat", "-F", "32", "-I"),
    "whole-ntfs-case-27": _ntfs,
    "whole-swap-case-27": _whole("mkswap"),
    "luks-case-27": _luks,
    "lvm-case-27": _lvm,
    "md-case-27": _md,
    "zfs-case-27": _zfs,
    "ambivalent-case-28": _ambivalent,
    "dos-empty": lambda disk: disk.sfdisk("label: dos\n"),
}
