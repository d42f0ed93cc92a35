"""What the kernel has made of a device, and how a refusal says it and how it is released."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from subfloor.core.machine import Machine, Output
from subfloor.observe.disk import Content
from subfloor.observe.holders import Holder, Holders
from subfloor.steps.in_use import refusal

LISTED = (
    b"\0\nnode /dev/mapper/busy\ndev 254:0\nsize 1015808\nuuid CRYPT-LUKS2-0-busy\nID_FS_TYPE LVM2_member\n"
    b"\0\nnode /dev/mapper/my--pool-root\ndev 254:1\nsize 204800\nuuid LVM-abc\n"
    b"ID_FS_TYPE ext4\nID_FS_LABEL_ENC photos\nID_FS_UUID 1-2\n"
)
MOUNTS = b"30 1 254:1 / /srv rw - ext4 /dev/mapper/my--pool-root rw\n"
USERS = ("held by busy",)
ADVICE = "unmount it"


def test_every_holder_of_a_device_is_listed_once() -> None:
    seen = Holders("/dev/vda").parse(Output(LISTED + LISTED[LISTED.index(b"\0", 1) :]), Output(MOUNTS))
    assert seen == (
        Holder("/dev/mapper/busy", 1015808 * 512, "CRYPT-LUKS2-0-busy", Content("LVM2_member")),
        Holder("/dev/mapper/my--pool-root", 100 << 20, "LVM-abc", Content("ext4", "photos", "1-2"), ("/srv",)),
    )


def test_a_refusal_names_what_lies_on_the_device_and_how_it_is_released_from_the_top() -> None:
    above = Holders("/dev/vda").parse(Output(LISTED), Output(MOUNTS))
    error = refusal(Machine({Holders("/dev/vda"): above}), "/dev/vda", "/dev/vda", USERS, ADVICE)
    assert "/dev/vda is in use: held by busy; on it: /dev/mapper/busy (496 MiB, LVM2_member), " in error.what
    assert "/dev/mapper/my--pool-root (100 MiB, ext4 labelled 'photos', mounted at /srv)" in error.what
    assert "(`umount /srv`, `vgchange --activate n my-pool`, `cryptsetup close busy`)" in error.advice


def test_an_array_is_stopped() -> None:
    assert Holder("/dev/md9", 1).closes == "mdadm --stop /dev/md9"


def test_a_device_that_is_only_mounted_gets_the_usual_advice() -> None:
    assert refusal(Machine(), "/dev/vda", "/dev/vda", ("mounted at /srv",), ADVICE).advice == ADVICE


def test_a_device_of_an_unknown_kind_leaves_the_usual_advice() -> None:
    above = Machine({Holders("/dev/vda"): (Holder("/dev/mapper/x", 1 << 20, "mpath-1"),)})
    error = refusal(above, "/dev/vda", "/dev/vda", ("held by x",), ADVICE)
    assert "on it: /dev/mapper/x (1 MiB)" in error.what and error.advice == ADVICE


def _put(at: Path, **files: str) -> None:
    at.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (at / name).write_text(f"{text}\n")


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_probe_follows_partitions_and_holders_upwards(shell: str, tmp_path: Path) -> None:
    block, known = tmp_path / "block", tmp_path / "data"
    _put(block / "vda" / "vda1", partition="1")
    _put(block / "vda" / "vda1" / "holders" / "dm-0")
    for number, name, uuid in ((0, "busy", "CRYPT-LUKS2-0-busy"), (1, "pool-a", "LVM-a"), (2, "pool-b", "LVM-b")):
        _put(block / f"dm-{number}", dev=f"252:{number}", size="2048")
        _put(block / f"dm-{number}" / "dm", name=name, uuid=uuid)
    for above in ("dm-1", "dm-2"):
        _put(block / "dm-0" / "holders" / above)
    _put(known, **{"b252:2": "E:ID_FS_TYPE=ext4\nE:ID_FS_LABEL_ENC=photos"})
    probe = (
        Holders("/dev/vda").probes()[0].replace("/sys/class/block", str(block)).replace("/run/udev/data", str(known))
    )
    probe = probe.replace('[ -b "/dev/mapper/$node" ]', "true")
    ran = subprocess.run([shell, "-euc", f"block=\n{probe}"], capture_output=True, check=True)
    seen = Holders("/dev/vda").parse(Output(ran.stdout), Output(b""))
    assert [each.node for each in seen] == ["/dev/mapper/busy", "/dev/mapper/pool-a", "/dev/mapper/pool-b"]
    assert [each.content for each in seen] == [None, None, Content("ext4", "photos")]
