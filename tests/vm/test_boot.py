"""The throwaway machine does what a rehearsal needs of it, up to the whole job done by hand."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import testinfra.host

from subfloor import rehearse

BY_HAND = """
sfdisk --wipe always --wipe-partitions always --quiet "$1" <<END
label: gpt
start=2048, size=512MiB, type=uefi, name=ESP
size=8GiB, type=swap, name=swap
type=linux, name=nix
END
partx --update "$1"
udevadm settle
mkfs.vfat -F 32 -n boot "${1}1" >/dev/null
mkswap -q -L swap "${1}2" >/dev/null
mkfs.ext4 -q -L nixos "${1}3"
mount -t tmpfs -o size=512M,mode=755 none /mnt
mkdir -p /mnt/boot /mnt/nix /mnt/etc/nixos /mnt/var/log
mount "${1}1" /mnt/boot
mount "${1}3" /mnt/nix
mkdir -p /mnt/nix/persist/etc/nixos /mnt/nix/persist/var/log
mount -o bind /mnt/nix/persist/etc/nixos /mnt/etc/nixos
mount -o bind /mnt/nix/persist/var/log /mnt/var/log
swapon "${1}2"
"""


def test_the_whole_job_can_be_done_by_hand(
    sh: Callable[..., str], blank: Callable[[str], str], host: testinfra.host.Host
) -> None:
    disk = blank("/dev/vda")
    sh(BY_HAND, disk)
    table = json.loads(sh(f"sfdisk --json {disk}"))["partitiontable"]
    assert [part["name"] for part in table["partitions"]] == ["ESP", "swap", "nix"]
    for number in (1, 2, 3):
        sh(f"parted {disk} align-check optimal {number}")
    assert host.mount_point("/mnt").filesystem == "tmpfs"
    assert host.mount_point("/mnt/nix").device == f"{disk}3"
    assert host.mount_point("/mnt/boot").filesystem == "vfat"
    assert f"{disk}2" in host.file("/proc/swaps").content_string
    assert host.file("/dev/disk/by-label/nixos").linked_to == f"{disk}3"


def test_a_disk_can_be_made_blank_again(sh: Callable[..., str], blank: Callable[[str], str]) -> None:
    disk = blank("/dev/vda")
    sh(BY_HAND, disk)
    blank(disk)
    assert sh(f"lsblk -nro NAME {disk}").split() == ["vda"]
    assert sh(f"wipefs {disk}") == ""
    assert sh("findmnt -rno TARGET -R /mnt || true") == ""
    sh(f"cmp --bytes {64 << 20} {disk} /dev/zero")


def test_disks_are_as_described(sh: Callable[..., str]) -> None:
    told = json.loads(sh("lsblk -bJdo PATH,SIZE,LOG-SEC,PHY-SEC,MIN-IO,OPT-IO,SERIAL"))["blockdevices"]
    by_path = {each["path"]: each for each in told}
    assert by_path["/dev/vda"]["size"] == 30 << 30
    assert by_path["/dev/vdc"]["log-sec"] == 4096
    assert by_path["/dev/nvme0n1"]["size"] == 30 << 30
    raid = by_path["/dev/vde"]
    assert (raid["phy-sec"], raid["min-io"], raid["opt-io"]) == (4096, 64 << 10, 256 << 10)
    assert by_path["/dev/vdf"]["serial"] == "SMALL-1"


@pytest.mark.parametrize("kind", ["ext4", "vfat", "xfs", "btrfs", "f2fs"])
def test_modules_of_filesystems_are_loaded_on_mount(
    kind: str, sh: Callable[..., str], blank: Callable[[str], str]
) -> None:
    disk = blank("/dev/vdd")
    sh(f"mkfs.{kind} {disk} && mount {disk} /mnt && touch /mnt/here && umount /mnt")


def test_the_root_is_that_of_the_host_and_stays_unchanged(sh: Callable[..., str], tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.write_text("from the host")
    assert sh('cat "$1"', str(seen)) == "from the host"
    sh('echo changed >"$1"; rm -f "$1"', str(seen))
    assert seen.read_text() == "from the host"


def test_streams_and_status_are_returned_separately(guest: rehearse.Machine) -> None:
    live: list[bytes] = []
    done = guest.run(["sh", "-c", "cat; echo bad >&2; exit 5"], stdin=b"in\0\xff", output=live.append)
    assert (done.returncode, done.stdout, done.stderr) == (5, b"in\0\xff", b"bad\n")
    assert sorted(b"".join(live)) == sorted(b"in\0\xffbad\n")


def test_output_arrives_while_the_command_runs(guest: rehearse.Machine) -> None:
    times: list[float] = []
    guest.run(["sh", "-c", "echo a; sleep 3; echo b"], output=lambda _: times.append(time.monotonic()))
    assert times[-1] - times[0] > 0.5


def test_much_input_and_output(guest: rehearse.Machine) -> None:
    much = bytes(range(256)) * (1 << 13)
    assert guest.run(["cat"], stdin=much).stdout == much


def test_unread_input_is_dropped(guest: rehearse.Machine) -> None:
    assert guest.run(["true"], stdin=b"x" * (1 << 20)).returncode == 0
    assert guest.run(["echo", "next"]).stdout == b"next\n"


def test_working_directory_and_environment_are_set(guest: rehearse.Machine) -> None:
    done = guest.run(["sh", "-c", 'pwd; echo "$WORD"'], cwd="/usr", env={"WORD": "said"})
    assert done.stdout == b"/usr\nsaid\n"


def test_a_signal_and_a_missing_command_are_reported(guest: rehearse.Machine) -> None:
    assert guest.run(["sh", "-c", "kill -9 $$"]).returncode == -9
    done = guest.run(["no-such-command"])
    assert done.returncode == 127
    assert b"no-such-command" in done.stderr


def test_a_leftover_process_does_not_delay_the_end(guest: rehearse.Machine) -> None:
    began = time.monotonic()
    assert guest.run(["sh", "-c", "sleep 300 & echo done"]).stdout == b"done\n"
    assert time.monotonic() - began < 120


def test_a_command_ends_at_its_deadline_and_the_guest_continues(guest: rehearse.Machine) -> None:
    with pytest.raises(rehearse.CommandTimeout, match="sleep 60"):
        guest.run(["sh", "-c", "echo on it; sleep 60"], timeout=1)
    assert guest.run(["true"]).returncode == 0


def test_the_code_under_test_runs_in_the_guest(guest: rehearse.Machine) -> None:
    assert guest.run([sys.executable, "-c", "import subfloor"]).returncode == 0


@pytest.fixture(scope="module")
def kernel() -> rehearse.Kernel:
    return rehearse.find_kernel()


def test_a_guest_that_does_not_answer_ends_at_its_deadline(kernel: rehearse.Kernel, tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        pytest.raises(rehearse.GuestLost, match="did not start within"),
        rehearse.boot(rehearse.Guest(kernel), workdir=tmp_path, deadline=0.5),
    ):
        pass
    assert time.monotonic() - began < 120


def test_a_guest_that_ends_early_says_why(kernel: rehearse.Kernel) -> None:
    with (
        pytest.raises(rehearse.GuestLost, match="/no/python"),
        rehearse.boot(rehearse.Guest(kernel), python=["/no/python"]),
    ):
        pass


def test_one_command_runs_in_its_own_guest(kernel: rehearse.Kernel) -> None:
    guest = rehearse.Guest(kernel, udev=False, memory_mib=1024)
    assert rehearse.run(guest, ["sh", "-c", "exit 7"], deadline=rehearse.BOOT_DEADLINE) == 7


def test_flushed_data_survives_a_power_cut(kernel: rehearse.Kernel, tmp_path: Path) -> None:
    first = rehearse.Guest(kernel, (rehearse.Disk(64 << 20),), udev=False, firmware="uefi")
    with rehearse.boot(first, workdir=tmp_path) as machine:
        assert machine.run(["test", "-d", "/sys/firmware/efi/efivars"]).returncode == 0
        machine.run(["sh", "-c", "echo kept >/dev/vda; sync"])
        machine.cut_power()
        image = machine.images["/dev/vda"]
    assert image.read_bytes().startswith(b"kept\n")


# The smallest thing that boots by itself: an ESP with systemd-boot, the guest's kernel and its initrd.
BOOTABLE = """
sfdisk --quiet "$1" <<END
label: gpt
type=uefi, name=ESP
END
partx --update "$1"
mkfs.vfat -F 32 "${1}1" >/dev/null
mount "${1}1" /mnt
mkdir -p /mnt/EFI/BOOT /mnt/loader/entries
cp /usr/lib/systemd/boot/efi/systemd-bootx64.efi /mnt/EFI/BOOT/BOOTX64.EFI
cp "$2" /mnt/linux
cp "$3" /mnt/initrd
cat >/mnt/loader/entries/own.conf <<END
title own
linux /linux
initrd /initrd
options console=ttyS0 quiet panic=-1
END
umount /mnt
"""


def test_firmware_boots_from_a_disk(
    kernel: rehearse.Kernel,
    guest: rehearse.Machine,
    sh: Callable[..., str],
    blank: Callable[[str], str],
    tmp_path: Path,
) -> None:
    disk = blank("/dev/vdg")
    sh(BOOTABLE, disk, str(kernel.image), str(guest.console.with_name("initrd")))
    image = tmp_path / "copy.raw"
    image.write_bytes(guest.images[disk].read_bytes())
    with rehearse.boot_from_disk([rehearse.Disk(image=image)], workdir=tmp_path) as machine:
        machine.wait(120)
        # Its initrd ran, and finds no shared root: this machine has nothing but its disk.
        assert "could not mount the shared root" in machine.console_tail()
