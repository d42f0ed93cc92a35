"""`mount` on a real kernel: any filesystem and options, by any name of a device, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from disks.devices import CELLAR, SHELF, bare, disk, ext4
from disks.mount_namespace import MountNamespace, namespace
from loop_disks import run, said
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root

__all__ = ["bare", "disk", "ext4", "namespace"]  # fixtures


def test_a_filesystem_is_mounted(ext4: str, namespace: MountNamespace) -> None:
    path = str(namespace.path / "nix")
    options = ["noatime", "commit=30", "nofail", "x-systemd.automount"]
    assert namespace.settle({"mount": {"path": path, "source": ext4, "type": "ext4", "options": options}}) == [
        f"Mount {ext4} (ext4) at {path}"
    ]
    mount = namespace.mount("nix")
    assert (mount.source, mount.type) == (ext4, "ext4")
    assert {"rw", "noatime", "commit=30"} <= mount.options


def test_a_mount_that_drifted_is_remounted(ext4: str, namespace: MountNamespace) -> None:
    play = {
        "mount": {"path": str(namespace.path / "nix"), "source": ext4, "type": "ext4", "options": ["noatime", "exec"]}
    }
    namespace.settle(play)
    namespace.sh("mount -o remount,ro,relatime,noexec nix")
    assert len(namespace.settle(play)) == 1
    options = namespace.mount("nix").options
    assert {"rw", "noatime"} <= options and "noexec" not in options


_OPTIONS = {
    "ext4": [
        ["noatime", "commit=5"],
        ["discard", "nodiscard"],
        ["data=ordered", "lazytime", "errors=remount-ro"],
        ["commit=060"],
        ["relatime", "noatime"],
        ["noatime", "relatime"],
    ],
    "xfs": [[], ["noatime", "logbufs=8"], ["nodev", "nosuid", "noexec", "sync"], ["nodiscard"]],
    "btrfs": [
        ["compress=zstd", "autodefrag"],
        ["compress=zlib:5", "commit=30", "noatime"],
        ["compress-force=lzo", "commit=60"],
        ["subvol=/"],
        ["compress=no"],
        ["compress", "commit=010"],
        ["compress=zstd", "nodatacow"],
        ["nodiscard", "noautodefrag"],
    ],
    "vfat": [
        ["umask=0077"],
        ["fmask=0133", "dmask=22", "uid=1000"],
        ["shortname=winnt", "utf8"],
        ["dmask=22", "umask=0077"],
        ["umask=0077", "dmask=22"],
        ["uid=nobody", "gid=nogroup"],
    ],
    "f2fs": [[], ["noatime", "nodiscard"]],
}
_KERNEL = Path("/proc/filesystems").read_text().split()


@pytest.mark.parametrize(
    ("kind", "options"), [(kind, given) for kind, every in _OPTIONS.items() if kind in _KERNEL for given in every]
)
def test_mount_of_any_type_and_options(bare: str, namespace: MountNamespace, kind: str, options: list[str]) -> None:
    """What is looked for is what this kernel shows."""
    force = {"xfs": ["-f"], "btrfs": ["-f"], "f2fs": ["-f"], "ext4": ["-F"]}
    run(f"mkfs.{kind}", *force.get(kind, []), bare)
    play = {"path": str(namespace.path / "x"), "source": bare, "type": kind}
    namespace.settle({"mount": {**play, "options": options}})
    namespace.sh("umount x")
    namespace.settle({"mount": {**play, "options": ["ro"]}})
    if kind in ("ext4", "btrfs"):
        namespace.settle({"mount": {**play, "options": options}})


@pytest.mark.parametrize(("there", "wanted"), [("journal", "ordered"), ("ordered", "writeback"), ("", "journal")])
def test_a_journal_mode_that_no_remount_can_change_is_refused(
    ext4: str, namespace: MountNamespace, there: str, wanted: str
) -> None:
    namespace.sh(f"mkdir x; mount -o rw{',data=' + there if there else ''} {ext4} x")
    play = {"path": str(namespace.path / "x"), "source": ext4, "type": "ext4", "options": [f"data={wanted}"]}
    with pytest.raises(SubfloorError, match=r"is mounted with.* data=\w+, which a remount cannot change"):
        namespace.apply({"mount": play})
    namespace.sh("umount x")
    namespace.settle({"mount": play})


def test_a_filesystem_that_the_kernel_made_read_only_case_64(ext4: str, namespace: MountNamespace) -> None:
    play = {
        "mount": {"path": str(namespace.path / "x"), "source": ext4, "type": "ext4", "options": ["errors=remount-ro"]}
    }
    bind = {"bind-persist": {"path": "/home", "root": str(namespace.path), "store": "/x"}}
    namespace.settle(play)
    namespace.settle(bind)
    namespace.sh(f"echo 1 > /sys/fs/ext4/{Path(ext4).name}/trigger_fs_error; ! touch x/y")
    for each in (play, bind):
        with pytest.raises(SubfloorError, match=r"became read-only: the kernel does that after an error"):
            namespace.apply(each)
    namespace.sh(f"umount home x; e2fsck -f -p {ext4} || [ $? = 1 ]")
    namespace.settle(play)
    namespace.settle(bind)
    namespace.sh("touch x/y")


def test_mount_of_a_subvolume(bare: str, namespace: MountNamespace) -> None:
    run("mkfs.btrfs", "-f", bare)
    play = {"path": str(namespace.path / "x"), "source": bare, "type": "btrfs"}
    namespace.settle({"mount": play})
    namespace.sh("btrfs subvolume create x/nix; umount x")
    namespace.settle({"mount": {**play, "options": ["subvol=nix"]}})
    assert namespace.mount("x").root == "/nix"
    with pytest.raises(SubfloorError, match=r"/nix in it.* is mounted at"):
        namespace.apply({"mount": play})
    namespace.settle({"bind-persist": {"path": "/home", "root": str(namespace.path), "store": "/x"}})
    assert namespace.mount("home").root == "/nix/home"


def test_options_that_all_mounts_of_a_filesystem_share(bare: str, namespace: MountNamespace) -> None:
    """The second mount gets those of the first, and is then remounted; the first one follows."""
    run("mkfs.btrfs", "-f", bare)
    path = str(namespace.path / "x")
    first = {"path": path, "source": bare, "type": "btrfs", "options": ["compress=zstd"]}
    namespace.settle({"mount": {**first, "options": []}})
    namespace.sh("btrfs subvolume create x/home")
    namespace.sh("umount x")
    namespace.settle({"mount": first})
    second = {**first, "path": f"{path}/home", "options": ["subvol=home", "compress=zstd"]}
    assert len(namespace.settle({"mount": first}, {"mount": second})) == 1
    namespace.sh("umount x/home")
    assert len(namespace.settle({"mount": {**second, "options": ["subvol=home", "compress=lzo"]}})) == 2
    assert "compress=lzo" in namespace.mount("x").options


def test_flags_stay_on_a_remount(ext4: str, namespace: MountNamespace) -> None:
    play = {"path": str(namespace.path / "x"), "source": ext4, "type": "ext4", "options": ["noatime"]}
    namespace.settle({"mount": play})
    namespace.sh("mount -o remount,ro,nodev,nosuid x")
    assert len(namespace.settle({"mount": play})) == 1
    assert {"rw", "nodev", "nosuid", "noatime"} <= namespace.mount("x").options


def test_an_option_that_the_kernel_drops_is_refused_with_a_reason(bare: str, namespace: MountNamespace) -> None:
    run("mkfs.xfs", "-f", bare)
    namespace.sh(f"echo 0 > /sys/block/{Path(bare).name}/queue/discard_max_bytes")
    play = {"path": str(namespace.path / "x"), "source": bare, "type": "xfs", "options": ["discard"]}
    with pytest.raises(SubfloorError, match=r"mounted without discard, which a remount cannot change"):
        namespace.apply({"mount": play})
    namespace.settle({"mount": {**play, "options": ["nodiscard"], "path": str(namespace.path / "y")}})


def test_mount_of_a_partition(disk: str, namespace: MountNamespace) -> None:
    namespace.settle({"mount": {"path": str(namespace.path / "nix"), "source": f"{disk}p1", "type": "ext4"}})
    assert namespace.mount("nix").source == f"{disk}p1"
    with pytest.raises(SubfloorError, match=r"p2 holds swap, but ext4 is declared"):
        namespace.apply({"mount": {"path": str(namespace.path / "x"), "source": f"{disk}p2", "type": "ext4"}})
    with pytest.raises(SubfloorError, match=r"has no partition 3"):
        namespace.apply({"mount": {"path": str(namespace.path / "x"), "source": f"{disk}p3", "type": "ext4"}})


@pytest.mark.parametrize("tag", [f"LABEL={CELLAR}", f"PARTLABEL={CELLAR}"], ids=["LABEL", "PARTLABEL"])
def test_mount_by_a_tag_on_the_plays_own_disk(disk: str, namespace: MountNamespace, tag: str) -> None:
    swap = {"swap": {"device": f"{disk}p2"}}
    namespace.settle(swap, {"mount": {"path": str(namespace.path / "nix"), "source": tag, "type": "ext4"}})
    assert namespace.mount("nix").source == f"{disk}p1"


def test_mount_by_a_tag_on_another_disk(ext4: str, namespace: MountNamespace) -> None:
    uuid = said("blkid", "-p", "-s", "UUID", "-o", "value", ext4)
    for path, tag in (("a", f"LABEL={SHELF}"), ("b", f"/dev/disk/by-uuid/{uuid}")):
        namespace.settle({"mount": {"path": str(namespace.path / path), "source": tag, "type": "ext4"}})
        assert namespace.mount(path).source == ext4
    with pytest.raises(SubfloorError, match=r"no device has LABEL=nowhere"):
        namespace.apply({"mount": {"path": str(namespace.path / "c"), "source": "LABEL=nowhere", "type": "ext4"}})


def test_a_label_that_two_devices_carry_is_refused(ext4: str, disk: str, namespace: MountNamespace) -> None:
    run("e2label", f"{disk}p1", SHELF)
    for play in ((), ({"swap": {"device": f"{disk}p2"}},)):
        with pytest.raises(SubfloorError, match=f"LABEL={SHELF} is ambiguous"):
            namespace.apply(
                *play, {"mount": {"path": str(namespace.path / "a"), "source": f"LABEL={SHELF}", "type": "ext4"}}
            )


def test_an_unfinished_filesystem_is_not_mounted(disk: str, namespace: MountNamespace) -> None:
    run("sfdisk", "-q", "--no-reread", "--no-tell-kernel", "--part-label", disk, "1", f"{CELLAR}.unfinished")
    for source in (f"{disk}p1", f"PARTLABEL={CELLAR}"):
        swap = {"swap": {"device": f"{disk}p2"}}
        with pytest.raises(SubfloorError, match=rf"unfinished: the partition is named '{CELLAR}.unfinished'"):
            namespace.apply(swap, {"mount": {"path": str(namespace.path / "nix"), "source": source, "type": "ext4"}})


def test_stacked_and_hidden_mounts_are_refused_case_59(ext4: str, namespace: MountNamespace) -> None:
    play = {"mount": {"path": str(namespace.path / "root/nix"), "source": ext4, "type": "ext4"}}
    namespace.sh("mkdir root")
    namespace.settle(play)
    namespace.sh("mount --bind root/nix root/nix")
    with pytest.raises(SubfloorError, match=r"2 mounts are stacked at"):
        namespace.apply(play)
    namespace.sh("umount root/nix; mount -t tmpfs tmpfs root/nix")
    with pytest.raises(SubfloorError, match=r"2 mounts are stacked at"):
        namespace.apply(play)
    namespace.sh("umount root/nix; mount -t tmpfs tmpfs root")
    with pytest.raises(SubfloorError, match=r"hidden under a mount above it"):
        namespace.apply(play)
    namespace.sh("umount root")
    assert namespace.apply(play) == []


def test_mount_of_a_read_only_device(ext4: str, namespace: MountNamespace) -> None:
    run("blockdev", "--setro", ext4)
    play = {"path": str(namespace.path / "nix"), "source": ext4, "type": "ext4"}
    try:
        with pytest.raises(SubfloorError, match=r"is read-only, but .* must be writable"):
            namespace.apply({"mount": play})
        namespace.settle({"mount": {**play, "options": ["ro"]}})
    finally:
        run("blockdev", "--setrw", ext4)  # it would outlast the loop device's file
