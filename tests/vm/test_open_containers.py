"""Volumes that lie on others, with udev and the kernel's own device-mapper around them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from counting import Count
from crash.forked import Ran
from places import DATA, ROOT
from vm import zoo
from vm.conftest import BLANK, UNMOUNT, Forkserver
from vm.kills import rerun_after_every_kill

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]

LUKS = str(DATA / "playbooks" / "layers" / "luks-ext4.yml")
PASSPHRASE = "correct horse battery staple"
DISK = "/dev/vdd"
FAST = ("pbkdf=pbkdf2", "pbkdf_iterations=1000")

CLOSED = "umount /mnt; swapoff -a; cryptsetup close data; cryptsetup close swap; udevadm settle"
"""What a reboot leaves of the stack."""


@pytest.fixture
def secrets(sh: Sh) -> str:
    """A file of variables with the passphrase."""
    sh('printf \'passphrase: "%s"\n\' "$1" > /run/secrets.yml; chmod 600 /run/secrets.yml', PASSPHRASE)
    return "@/run/secrets.yml"


def test_containers_are_made_filled_opened_again_and_checked(
    subfloor: Subfloor, blank: Blank, sh: Sh, secrets: str
) -> None:
    blank(DISK)
    with_key = [LUKS, "-e", secrets]
    planned, made, again = subfloor(["check", *with_key], ["apply", *with_key], ["apply", LUKS])
    assert planned.status == 2 and "Make an ext4 filesystem on /dev/mapper/data" in planned.said, planned
    assert made.status == 0 and again.status == 0 and "in sync" in again.said, (made, again)
    assert sh("cryptsetup isLuks --type luks2 /dev/vdd1 && blkid -p -s LABEL -o value /dev/vdd1").strip() == "crypt"
    assert sh("findmnt -no SOURCE,FSTYPE,LABEL /mnt").split() == ["/dev/mapper/data", "ext4", "data"]
    assert len(sh("swapon --show --noheadings").splitlines()) == 1
    sh("echo dear > /mnt/letter")

    sh(CLOSED)
    before = zoo.written(sh, DISK)
    (closed,) = subfloor(["check", LUKS])
    assert zoo.written(sh, DISK) == before, "a check has written"
    without, opened, after = subfloor(["apply", LUKS], ["apply", *with_key], ["check", LUKS])
    assert closed.status != 0 and "passphrase is needed to open" in closed.said, closed
    assert without.status != 0, without
    assert opened.status == 0 and "Make" not in opened.said, opened
    assert after.status == 0 and sh("cat /mnt/letter").strip() == "dear", after
    assert PASSPHRASE not in "".join(each.said for each in (planned, made, again, closed, opened))


@pytest.mark.campaign
def test_keys_are_added_and_revoked_and_the_last_key_stays(
    subfloor: Subfloor, blank: Blank, sh: Sh, secrets: str
) -> None:
    blank(DISK)
    sh("dd if=/dev/urandom of=/run/data.key bs=512 count=1 status=none; chmod 600 /run/data.key")
    with_key, with_file = [LUKS, "-e", secrets], ["-e", "key_file=/run/data.key"]
    assert subfloor(["apply", *with_key])[0].status == 0
    sh("echo dear > /mnt/letter")
    added, by_file, again = subfloor(
        ["apply", *with_key, *with_file, "-e", "allow_discards=true", "-e", "label=other"],
        ["check", LUKS, *with_file, "-e", "allow_discards=true", "-e", "label=other"],
        ["apply", *with_key, *with_file, "-e", "allow_discards=true", "-e", "label=other"],
    )
    assert added.status == 0 and "Add the key file" in added.said and "Label the container" in added.said, added
    assert by_file.status == 0 and again.status == 0 and "in sync" in again.said, (by_file, again)
    assert "discards" in sh("cryptsetup status data")
    sh("cryptsetup open --test-passphrase --key-file /run/data.key /dev/vdd1")

    without, revoked, last = subfloor(["apply", LUKS], ["apply", *with_key], ["check", *with_key])
    assert without.status == 3 and "passphrase is needed" in without.said, without
    assert revoked.status == 0 and "Revoke the key file" in revoked.said, revoked
    assert last.status == 0, last
    assert sh("cryptsetup open --test-passphrase --key-file /run/data.key /dev/vdd1 2>/dev/null || echo no") == "no\n"
    assert "discards" not in sh("cryptsetup status data") and sh("cat /mnt/letter").strip() == "dear"


@pytest.mark.campaign
def test_a_foreign_container_keeps_every_byte_without_consent(
    subfloor: Subfloor, blank: Blank, sh: Sh, secrets: str
) -> None:
    blank(DISK)
    sh("""
    printf '%s\n' 'label: gpt' 'size=400MiB' | sfdisk --quiet /dev/vdd; udevadm settle
    printf other | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vdd1 -
    printf other | cryptsetup open --key-file - /dev/vdd1 theirs; mkfs.ext4 -q -L photos /dev/mapper/theirs
    udevadm settle
    """)
    apply = ["apply", LUKS, "-e", secrets]
    before = zoo.written(sh, DISK)
    (busy,) = subfloor([*apply, "--destroy", DISK])
    assert busy.status == 3 and "held by theirs" in busy.said, busy
    sh("cryptsetup close theirs; udevadm settle")
    (asked,) = subfloor(apply)
    assert asked.status == 5 and "crypto_LUKS" in asked.said and f"--destroy {DISK}" in asked.said, asked
    assert zoo.written(sh, DISK) == before
    done, again = subfloor([*apply, "--destroy", DISK], ["check", LUKS])
    assert done.status == 0 and again.status == 0, (done, again)


STATE = f"""
sfdisk --dump {DISK}
for n in {DISK}1 {DISK}2 /dev/mapper/data /dev/mapper/swap; do blkid -p -o export $n; done
for n in {DISK}1 {DISK}2; do cryptsetup luksDump $n | grep -A1 Keyslots: | tail -n 1; done
findmnt -rno TARGET,SOURCE,FSTYPE /mnt
e2fsck -fn /dev/mapper/data >/dev/null 2>&1 || [ $? -eq 4 ]
tail -n +2 /proc/swaps | wc -l
"""


@pytest.mark.campaign
def test_a_rerun_after_a_kill_at_any_moment_finishes_containers(
    forkserver: Forkserver, blank: Blank, secrets: str, count: Count
) -> None:
    blank(DISK)
    start = f"set -- {DISK}; {BLANK}"
    rerun_after_every_kill(forkserver, [LUKS, "-e", secrets], [start], STATE, count, "containers")


READY = {
    ROOT / "playbooks" / "nixos-luks-btrfs.yml": (
        "esp_size=40MiB",
        "swap=64MiB",
        "persist=[/etc/nixos, /var/lib/nixos]",
    ),
    ROOT / "playbooks" / "nixos-luks-lvm.yml": ("esp_size=40MiB", "swap=64MiB", "self_check=none"),
    ROOT / "playbooks" / "nixos-tmpfs-root.yml": (
        *("esp_size=40MiB", "swap=64MiB", "persist=[/etc/nixos, /var/lib/nixos]"),
        *("encrypt=true", "self_check=none"),
    ),
}
"""The ready playbooks with containers, with what makes them small."""

REBOOT = f"""set -- {DISK}; {UNMOUNT}
umount -l /top 2>/dev/null || :
vgchange -qq --activate n pool 2>/dev/null || :
cryptsetup close cryptnix || cryptsetup close cryptroot || cryptsetup close cryptlvm
udevadm settle
"""


@pytest.mark.campaign
@pytest.mark.parametrize("playbook", READY, ids=lambda path: path.stem)
def test_a_shipped_playbook_with_a_container_survives_a_reboot(
    playbook: Path, subfloor: Subfloor, blank: Blank, sh: Sh, secrets: str
) -> None:
    blank(DISK)
    values = (f"disk={DISK}", "state_version=25.11", "boot_loader=systemd-boot", *FAST, *READY[playbook])
    play = [str(playbook), *(word for value in values for word in ("-e", value))]
    made, again = subfloor(["apply", *play, "-e", secrets], ["apply", *play])
    assert made.status == 0, made
    assert again.status == 0 and "in sync" in again.said, again
    assert sh("findmnt -no SOURCE /mnt/nix").startswith(("/dev/mapper/crypt", "/dev/mapper/pool-nix"))
    sh("echo dear > /mnt/nix/letter; sync")

    sh(REBOOT)
    before = zoo.written(sh, DISK)
    (closed,) = subfloor(["check", *play])
    assert zoo.written(sh, DISK) == before, "a check has written"
    assert closed.status == 3 and "passphrase is needed to open" in closed.said, closed
    opened, after = subfloor(["apply", *play, "-e", secrets], ["check", *play])
    assert opened.status == 0 and "Make" not in opened.said, opened
    assert after.status == 0 and sh("cat /mnt/nix/letter").strip() == "dear", after
    sh(REBOOT)
