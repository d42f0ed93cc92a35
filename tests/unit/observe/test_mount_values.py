"""What is mounted, read from what kernels and programs print; options in their spellings."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Machine, Output, broken_promises, differences
from subfloor.observe import mountinfo
from subfloor.observe.disk import Content, Disk, DiskState, PartitionState
from subfloor.observe.hidden import Hidden, Hiding
from subfloor.observe.memory import Memory, MemoryState
from subfloor.observe.mount import Mount, Mounted, MountLocation, MountState, UnderlyingMount, mounting
from subfloor.observe.path import Absent, NotYetVisible, Path, TextFile, check_clean, directory, mode_of
from subfloor.observe.swap import Swap, SwapState
from subfloor.observe.tag import Tag, Tagged
from subfloor.steps import block_devices

# A tmpfs root with a filesystem and a bind; then an ext4 over the filesystem's place; then a tmpfs over
# the directory above another one, which buries it.
_MOUNTINFO = rb"""1 1 0:2 / / rw - rootfs rootfs rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 27 0:30 / /mnt rw,nosuid,relatime - tmpfs tmpfs ro,size=1024k,mode=755
31 30 254:3 / /mnt/nix rw,noatime master:1 propagate_from:2 - ext4 /dev/vda3 rw
32 30 254:3 /persist/var/log /mnt/var/log rw,noatime - ext4 /dev/vda3 rw
33 30 254:3 /persist/a\040b\134\011c /mnt/a\040b\134\011c rw - ext4 /dev/vda3 rw
34 31 254:4 / /mnt/nix rw - ext4 /dev/vda4 rw
35 27 0:40 / /srv/data rw - tmpfs tmpfs rw
36 27 0:41 / /srv rw - tmpfs tmpfs rw
37 27 254:3 /persist/gone//deleted /gone rw - ext4 /dev/vda3 rw
"""


def mount(path: str) -> MountState:
    return Mount(path).parse(Output(_MOUNTINFO), Output(f"{path}\n".encode()))


def covering(path: str, mounts: bytes = _MOUNTINFO) -> MountLocation:
    return UnderlyingMount(path).parse(Output(mounts), Output(f"{path}\n".encode("utf-8", "surrogateescape")))


def test_the_topmost_mount_is_shown() -> None:
    state = mount("/mnt/nix")
    assert state.top == Mounted("/dev/vda4", "ext4", "/", frozenset({"rw"}))
    assert [each.source for each in state.stack] == ["/dev/vda3", "/dev/vda4"]
    assert mount("/").top == Mounted("/dev/vda", "ext4", "/", frozenset({"rw", "relatime", "discard"}))


def test_a_mount_hidden_under_another_is_not_shown() -> None:
    state = mount("/srv/data")
    assert state.top is None
    assert [each.type for each in state.buried] == ["tmpfs"]
    assert covering("/srv/data/x").at == "/srv"


def test_a_path_without_a_mount() -> None:
    assert mount("/home") == MountState(real="/home")


def test_mounts_below_a_path_are_listed() -> None:
    assert set(mount("/mnt").below) == {"/mnt/nix", "/mnt/var/log", "/mnt/a b\\\tc"}


def test_escapes_and_binds() -> None:
    assert mount("/mnt/a b\\\tc").top == Mounted("/dev/vda3", "ext4", "/persist/a b\\\tc", frozenset({"rw"}))
    gone = mount("/gone").top
    assert gone and gone.root == "/persist/gone//deleted"


def test_a_path_through_a_symbolic_link_elsewhere() -> None:
    state = Mount("/link").parse(Output(_MOUNTINFO), Output(b"/mnt\n"))
    assert state.real == "/mnt" and state.top and state.top.type == "tmpfs"


@pytest.mark.parametrize(
    ("path", "cover", "inside"),
    [
        (
            "/mnt/var/log/x",
            MountLocation("/mnt/var/log", "/dev/vda3", "ext4", "/persist/var/log"),
            "/persist/var/log/x",
        ),
        ("/mnt/var/log", MountLocation("/mnt/var/log", "/dev/vda3", "ext4", "/persist/var/log"), "/persist/var/log"),
        ("/mnt/nix/persist", MountLocation("/mnt/nix", "/dev/vda4", "ext4"), "/persist"),
        ("/mnt/nixx", MountLocation("/mnt", "tmpfs", "tmpfs"), "/nixx"),
        ("/home", MountLocation("/", "/dev/vda", "ext4"), "/home"),
    ],
)
def test_the_filesystem_under_a_path(path: str, cover: MountLocation, inside: str) -> None:
    found = covering(path)
    assert found == cover
    assert found.inside(path) == inside


def test_a_chroot_whose_root_is_not_a_mount_point() -> None:
    """Its mounts have a parent that is not listed."""
    mounts = b"31 30 254:3 / /nix rw - ext4 /dev/vda3 rw\n"
    assert covering("/nix/x", mounts) == MountLocation("/nix", "/dev/vda3", "ext4")
    assert covering("/home", mounts) == MountLocation("/", "", "")
    assert mountinfo.way((), "/") == ()


def test_mounting_an_empty_filesystem_hides_what_was_there() -> None:
    below = (
        Path("/mnt/x"),
        TextFile("/mnt/x/file"),
        Hidden("/mnt/x", "/s"),
        UnderlyingMount("/mnt/x"),
        Mount("/mnt/x"),
    )
    before = Machine(
        {
            Mount("/mnt"): MountState(real="/mnt"),
            Mount("/"): MountState(real="/"),
            Path("/mnt"): directory(0o700),
            Path("/mntx"): directory(),
            **dict.fromkeys(below[:3], NotYetVisible("/mnt", "x")),
            below[3]: MountLocation("/", "/dev/sda", "ext4"),
            below[4]: MountState(real="/elsewhere"),
        }
    )
    tmpfs = Mounted("tmpfs", "tmpfs")
    after = mounting(before, "/mnt", tmpfs, root=directory(), hidden=None)
    assert [after.get(subject) for subject in below] == [
        *(Absent(), Absent(), Hiding(), MountLocation("/mnt", "tmpfs", "tmpfs"), MountState(real="/mnt/x"))
    ]
    assert after[Mount("/mnt")].top == tmpfs
    assert after[Mount("/")].below == ("/mnt",)
    assert (after[Path("/mnt")], after[Path("/mntx")]) == (directory(), directory())


def test_a_promise_of_an_unknown_value_is_kept_by_any_observation() -> None:
    hidden = NotYetVisible("/mnt", "/dev/vda3")
    promised = Machine({Path("/mnt/x"): hidden})
    assert broken_promises(promised, Machine({Path("/mnt/x"): Absent()})) == ()


def test_a_promise_of_mount_options_allows_those_that_the_kernel_adds() -> None:
    def seen(*options: str) -> Machine:
        return Machine({Mount("/x"): MountState(Mounted("tmpfs", "tmpfs", "/", frozenset(options)))})

    assert broken_promises(seen("rw"), seen("rw", "relatime")) == ()
    assert [str(each) for each in broken_promises(seen("ro"), seen("rw"))] == ["mount point /x: options: ro → rw"]


@pytest.mark.parametrize("whole", [False, True])
def test_a_device_that_is_used_immediately_does_not_break_a_promise(whole: bool) -> None:
    """A desktop mounts what was just made. But where a step is to bring about use, it must be there."""

    def seen(used: bool) -> Machine:
        volume = PartitionState(1, Content("ext4"), in_use=used and not whole)
        return Machine({Disk("/dev/x"): DiskState("/dev/x", 1 << 30, volumes=(volume,), in_use=used and whole)})

    assert broken_promises(seen(used=False), seen(used=True)) == ()
    assert [each.property for each in broken_promises(seen(used=True), seen(used=False))] == [
        "in use" if whole else "partition 1, in use"
    ]


def test_a_device_that_is_listed_by_another_name() -> None:
    mounts = b"""27 1 254:0 / /a rw - ext4 /dev/mapper/vg0-root rw
28 27 0:40 / /b rw - btrfs /dev/vg0/data rw
@ /dev/mapper/vg0-root /dev/dm-0
@ /dev/vg0/data /dev/dm-1
"""
    assert [each.source for each in mountinfo.parse(mounts)] == ["/dev/dm-0", "/dev/dm-1"]
    swaps = Output(_SWAPS + b"/dev/mapper/vg0-swap partition 8 0 7\n@ /dev/mapper/vg0-swap /dev/dm-2\n")
    assert Swap("/dev/vg0/swap").parse(Output(b"/dev/dm-2\n"), swaps) == SwapState(True, 7)


# Memory, swap, tags.


def test_the_memory_is_parsed() -> None:
    assert Memory().parse(Output(b"MemTotal:       24684096 kB\n"), Output(b"16384\n")) == MemoryState(
        24684096 * 1024, 16384
    )


_SWAPS = b"""Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/zram0                              partition\t4194300\t\t0\t\t100
/dev/vda2                               partition\t8388604\t\t0\t\t-2
"""


@pytest.mark.parametrize(
    ("node", "state"),
    [("/dev/zram0", SwapState(True, 100)), ("/dev/vda2", SwapState(True)), ("/dev/vda", SwapState())],
)
def test_an_active_swap_area_is_found_by_its_node(node: str, state: SwapState) -> None:
    assert Swap("/dev/disk/by-id/x").parse(Output(f"{node}\n".encode()), Output(_SWAPS)) == state


_DEVICES = rb"""device /dev/vdb1
ID_FS_LABEL=my_data
ID_FS_LABEL_ENC=my\x20data
ID_FS_UUID=91AA-33FC
ID_FS_TYPE=ext4
ID_PART_ENTRY_NAME=nix.unfinished
ID_PART_ENTRY_UUID=0f
device /dev/vda1
ID_FS_LABEL_ENC=my\x20data
ID_FS_TYPE=vfat
device /dev/vdc
"""


def test_devices_are_found_by_their_tags() -> None:
    vdb = Tagged("/dev/vdb1", "ext4", "nix.unfinished")
    assert Tag("LABEL=my data").parse(Output(_DEVICES)) == (Tagged("/dev/vda1", "vfat"), vdb)
    for tag in ("UUID=91aa-33fc", "PARTUUID=0F", "PARTLABEL=nix.unfinished"):
        assert Tag(tag).parse(Output(_DEVICES)) == (vdb,)
    for tag in ("LABEL=my_data", "LABEL=x", "LABEL=", "PARTLABEL=NIX.unfinished"):
        assert Tag(tag).parse(Output(_DEVICES)) == ()


def test_a_device_that_does_not_answer_is_named_and_delays_no_other_tag() -> None:
    silent = Output(_DEVICES + b"silent=yes\n")
    assert Tag("LABEL=my data").parse(silent) == Tag("LABEL=my data").parse(Output(_DEVICES))
    with pytest.raises(LookFailed, match="/dev/vdc cannot be read, or does not answer"):
        Tag("LABEL=x").parse(silent)


def test_a_tag_is_searched_on_one_device_after_another(tmp_path: pathlib.Path) -> None:
    """The probe itself, with a blkid that never answers: nothing hangs, and the devices are named."""
    blkid = tmp_path / "blkid"
    blkid.write_text("#!/bin/sh\nexec sleep 60\n")
    blkid.chmod(0o755)
    quick = tmp_path / "timeout"
    quick.write_text('#!/bin/sh\nshift 3\nexec /usr/bin/timeout -k 1 0.1 "$@"\n')
    quick.chmod(0o755)
    (probe,) = Tag("LABEL=x").probes()
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    ran = subprocess.run(["/bin/sh", "-c", probe], capture_output=True, env=path, timeout=60.0)
    assert ran.returncode == 0
    silent = [line for line in ran.stdout.splitlines() if line.startswith(b"silent")]
    if silent:
        with pytest.raises(LookFailed, match="does not answer"):
            Tag("LABEL=x").parse(Output(ran.stdout, ran.returncode))


@pytest.mark.parametrize(
    ("source", "tag"),
    [
        ("LABEL=my data", ("LABEL", "my data")),
        ('PARTLABEL="nix"', ("PARTLABEL", "nix")),
        (r"/dev/disk/by-label/my\x20d\xc3\xa4ta", ("LABEL", "my däta")),
        ("/dev/disk/by-partuuid/0f", ("PARTUUID", "0f")),
        ("/dev/disk/by-id/x-part1", None),
        ("/dev/vda1", None),
    ],
)
def test_a_tag_and_its_udev_link_are_the_same_source(source: str, tag: tuple[str, str] | None) -> None:
    assert block_devices.tag_of(source) == tag
    assert block_devices.tag_of(block_devices.link(source)) == tag


_AUTOMOUNTED = rb"""27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:50 / /boot rw,relatime shared:9 - autofs systemd-1 rw,fd=51,pgrp=1,timeout=0,minproto=5,maxproto=5,direct
41 40 254:1 / /boot rw,noatime shared:10 - vfat /dev/vda1 rw,fmask=0022,dmask=0022
42 27 0:51 / /data rw,relatime shared:11 - autofs systemd-1 rw,fd=52,pgrp=1,timeout=0,minproto=5,maxproto=5,direct
"""


def test_an_automount_does_not_count_as_a_mount() -> None:
    boot, data = (Mount(path).parse(Output(_AUTOMOUNTED), Output(f"{path}\n".encode())) for path in ("/boot", "/data"))
    assert boot.top and (boot.top.source, len(boot.stack), boot.automount) == ("/dev/vda1", 1, True)
    assert (data.stack, data.automount) == ((), True)


# Paths.


@pytest.mark.parametrize("path", ["", "x", "/x/", "//x", "/x//y", "/x/../y", "/x/.", "/x\0"])
def test_unclean_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a normalised absolute path"):
        check_clean(path)


def test_octal_modes_are_parsed() -> None:
    assert (mode_of("755"), mode_of("1777"), str(mode_of("0007"))) == (0o755, 0o1777, "7")
    for mode in ("", "75", "0o755", "u+x", "00755"):
        with pytest.raises(ValueError, match="not a mode"):
            mode_of(mode)


def test_what_a_path_lies_on_follows_from_the_mounts_and_is_named_no_second_time() -> None:
    below = UnderlyingMount("/mnt/nix/persist")
    before = Machine({Mount("/mnt/nix"): MountState(real="/mnt/nix"), below: MountLocation("/", "/dev/vda", "ext4")})
    after = mounting(before, "/mnt/nix", Mounted("/dev/vdb1", "ext4"), root=directory(), hidden=None)
    assert after[below] == MountLocation("/mnt/nix", "/dev/vdb1", "ext4")
    assert [each.subject for each in differences(before, after)] == ["mount point /mnt/nix"]
    assert broken_promises(after, before.with_(Mount("/mnt/nix"), after[Mount("/mnt/nix")]))
