"""What the kernel has made of a device, and how a refusal says it and how it is released."""

from __future__ import annotations

from subfloor.core.machine import Machine, Output
from subfloor.observe.above import Above, Upper
from subfloor.observe.disk import Content
from subfloor.steps.in_use import refusal

LISTED = (
    b"\0\nnode /dev/mapper/busy\ndev 254:0\nsize 1015808\nuuid CRYPT-LUKS2-0-busy\nID_FS_TYPE LVM2_member\n"
    b"\0\nnode /dev/mapper/my--pool-root\ndev 254:1\nsize 204800\nuuid LVM-abc\n"
    b"ID_FS_TYPE ext4\nID_FS_LABEL_ENC photos\nID_FS_UUID 1-2\n"
)
MOUNTS = b"30 1 254:1 / /srv rw - ext4 /dev/mapper/my--pool-root rw\n"
USERS = ("held by busy",)
ADVICE = "unmount it"


def test_all_that_lies_on_a_device_is_seen_once() -> None:
    seen = Above("/dev/vda").parse(Output(LISTED + LISTED[LISTED.index(b"\0", 1) :]), Output(MOUNTS))
    assert seen == (
        Upper("/dev/mapper/busy", 1015808 * 512, "CRYPT-LUKS2-0-busy", Content("LVM2_member")),
        Upper("/dev/mapper/my--pool-root", 100 << 20, "LVM-abc", Content("ext4", "photos", "1-2"), ("/srv",)),
    )


def test_a_refusal_names_what_lies_on_the_device_and_how_it_is_released_from_the_top() -> None:
    above = Above("/dev/vda").parse(Output(LISTED), Output(MOUNTS))
    error = refusal(Machine({Above("/dev/vda"): above}), "/dev/vda", "/dev/vda", USERS, ADVICE)
    assert "/dev/vda is in use: held by busy; on it: /dev/mapper/busy (496 MiB, LVM2_member), " in error.what
    assert "/dev/mapper/my--pool-root (100 MiB, ext4 labelled 'photos', mounted at /srv)" in error.what
    assert "(`umount /srv`, `vgchange --activate n my-pool`, `cryptsetup close busy`)" in error.advice


def test_an_array_is_stopped() -> None:
    assert Upper("/dev/md9", 1).closes == "mdadm --stop /dev/md9"


def test_what_is_mounted_only_is_not_looked_at_further() -> None:
    assert refusal(Machine(), "/dev/vda", "/dev/vda", ("mounted at /srv",), ADVICE).advice == ADVICE


def test_a_device_of_an_unknown_kind_leaves_the_usual_advice() -> None:
    above = Machine({Above("/dev/vda"): (Upper("/dev/mapper/x", 1 << 20, "mpath-1"),)})
    error = refusal(above, "/dev/vda", "/dev/vda", ("held by x",), ADVICE)
    assert "on it: /dev/mapper/x (1 MiB)" in error.what and error.advice == ADVICE
