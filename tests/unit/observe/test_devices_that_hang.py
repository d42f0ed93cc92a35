"""Devices that no longer answer: a read that no signal ends. No look waits for one that the play is not about."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from subfloor.core.errors import LookFailed
from subfloor.core.machine import AnySubject, Output
from subfloor.observe.block_uuids import BlockUuids
from subfloor.observe.layers import Array, VolumeGroup
from subfloor.observe.tag import Tag
from subfloor.observe.volume_group import PhysicalVolume

UUID = "4f9a0c1e-5d0b-4d6e-8a53-3f2f9d3a7c11"
HUNG = ("vdb", "vdc", "vdd", "vde", "vdf")
SUBJECTS = (BlockUuids(), Tag(f"UUID={UUID}"))

BLKID = """\
#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
echo "$*" >> {asked}
for node; do
    case $node in
        */vdg) printf 'DEVNAME=%s\\nUUID=%s\\nID_FS_UUID=%s\\n' "$node" {uuid} {uuid};;
        */vdh) ;;
        *) while [ -e {hung} ]; do sleep 1; done;;
    esac
done
"""

LVM = "#!/bin/sh\nwhile [ -e {hung} ]; do sleep 1; done\n"
MDADM = """\
#!/bin/sh
case $* in
    *--scan*) while [ -e {hung} ]; do sleep 1; done;;
    *) printf 'MD_LEVEL=raid1\\nMD_DEVICES=2\\nMD_UUID=a:b:c:d\\n';;
esac
"""
"""Programs that read all devices."""

TIMEOUT = """\
#!/bin/sh
case $1 in
    -k) shift 3; exec "$@";;
esac
shift
exec /usr/bin/timeout "$LIMIT" "$@"
"""
"""What the real one does with a child that it cannot kill: it waits for it."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Directories that stand for sysfs and udev's database, and programs for which some devices hang."""
    for number, name in enumerate(("vda", *HUNG, "vdg", "vdh")):
        block = tmp_path / "block" / name
        block.mkdir(parents=True)
        (block / "size").write_text("2048\n")
        (block / "dev").write_text(f"253:{number}\n")
    (tmp_path / "udev").mkdir()
    (tmp_path / "udev" / "b253:0").write_text(f"E:ID_FS_UUID={UUID}\nE:ID_FS_TYPE=ext4\n")
    (tmp_path / "bin").mkdir()
    for name, text in (("blkid", BLKID), ("timeout", TIMEOUT), ("lvm", LVM), ("mdadm", MDADM)):
        program = tmp_path / "bin" / name
        program.write_text(text.format(asked=tmp_path / "asked", hung=tmp_path / "hung", uuid=UUID))
        program.chmod(0o755)
    (tmp_path / "hung").touch()
    yield tmp_path
    (tmp_path / "hung").unlink()


def looked(subject: AnySubject, place: Path, limit: str) -> Any:
    """What a look finds. ``limit``: the seconds that it waits for an answer."""
    return subject.parse(*(_output(probe, place, limit) for probe in subject.probes()))


def _output(probe: str, place: Path, limit: str) -> Output:
    for real, stand_in in (("/sys/class/block", "block"), ("/run/udev/data", "udev")):
        probe = probe.replace(real, str(place / stand_in))
    path = {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "LIMIT": limit}
    ran = subprocess.run(["/bin/sh", "-c", probe], capture_output=True, env=path, timeout=120.0, check=False)
    return Output(ran.stdout, ran.returncode)


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_a_look_ends_and_shows_what_the_other_devices_carry(subject: BlockUuids | Tag, place: Path) -> None:
    assert [each.node for each in looked(subject, place, "0.5")] == ["/dev/vda"]
    assert len((place / "asked").read_text().splitlines()) == 3


def test_the_devices_that_did_not_answer_are_named_if_no_other_carries_the_tag(place: Path) -> None:
    with pytest.raises(LookFailed, match=r"/dev/vdb, /dev/vdc, .*/dev/vdf.* cannot be read, or does not answer"):
        looked(Tag("LABEL=data"), place, "0.5")


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_a_device_that_udev_does_not_know_is_read(subject: BlockUuids | Tag, place: Path) -> None:
    for number in range(1, len(HUNG) + 1):
        (place / "udev" / f"b253:{number}").touch()
    assert [each.node for each in looked(subject, place, "100")] == ["/dev/vda", "/dev/vdg"]
    assert (place / "asked").read_text().split() == ["/dev/vdg", "/dev/vdh"]


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        (VolumeGroup("/dev/vda", "LVM2_member", UUID), "the volume group is unknown"),
        (Array("/dev/vda", "linux_raid_member", UUID), "raid1"),
    ],
    ids=["volume group", "array"],
)
def test_what_would_be_lost_is_named_as_far_as_it_can_be(subject: AnySubject, says: str, place: Path) -> None:
    """So a disk can be erased with consent while another one hangs."""
    assert says in str(looked(subject, place, "0.5"))


def test_a_group_that_cannot_be_looked_at_never_counts_as_absent(place: Path) -> None:
    with pytest.raises(LookFailed, match="cannot be looked at"):
        looked(PhysicalVolume(UUID), place, "0.5")
