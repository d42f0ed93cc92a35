"""Where a machine names partitions by PARTUUID: text files, and device paths in the firmware's variables."""

from __future__ import annotations

from uuid import UUID

from subfloor.core.machine import Output
from subfloor.observe.partuuids import FIRMWARE, Naming, PartuuidNames

ONE, TWO = UUID("9c1c5f0e-6d52-4a8b-8d0a-0c6f6a1b7f01"), UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")


def named(text: str) -> tuple[Naming, ...]:
    return PartuuidNames().parse(Output(text.encode()))


def test_each_spelling_in_a_file_is_found() -> None:
    text = f"""/etc/fstab PARTUUID={ONE} / ext4 defaults 0 1
/etc/fstab PARTUUID="{str(TWO).upper()}" none swap
/etc/fstab # PARTUUID={TWO} /old ext4
/etc/fstab UUID={TWO} /boot vfat
/etc/crypttab root /dev/disk/by-partuuid/{TWO} none
/proc/cmdline root=PARTUUID={ONE} rw
"""
    places = [("/etc/fstab", ONE), ("/etc/fstab", TWO), ("/etc/crypttab", TWO), ("/proc/cmdline", ONE)]
    assert named(text) == tuple(Naming(where, uuid) for where, uuid in places)


def test_a_boot_entry_names_its_partition_in_its_device_path() -> None:
    """A load option: attributes, the length of the path, a description, then HD(1,GPT,…) and a file."""
    path = "04012a00" + "01000000" + "0008000000000000" + "0000200000000000" + ONE.bytes_le.hex() + "0202"
    entry = f"efi Boot0001 0700000001000000740041000000{path}040434005c00450046004900\n"
    assert named(entry + "efi BootCurrent 06000000\n") == (Naming(f"{FIRMWARE} Boot0001", ONE),)
    assert named(entry)[0].in_firmware


def test_a_machine_without_any_names_none() -> None:
    assert named("") == ()
