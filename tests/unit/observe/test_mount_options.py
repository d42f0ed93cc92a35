"""Mount options: which are promised, which are in force, and what a remount changes."""

from __future__ import annotations

import pytest

from subfloor.steps import mount_options


@pytest.mark.parametrize(
    ("kind", "given", "shown"),
    [
        ("ext4", "noatime", "noatime,rw"),
        ("ext4", "defaults,nofail,x-systemd.automount,_netdev,noauto,user", "rw"),
        ("ext4", "ro,commit=5,discard,data=ordered", "ro,discard"),
        ("ext4", "commit=30", "commit=30,rw"),
        ("vfat", "umask=077", "fmask=0077,dmask=0077,rw"),
        ("vfat", "umask=0022,dmask=7,uid=1000,gid=0", "fmask=0022,dmask=0007,uid=1000,rw"),
        ("vfat", "dmask=7,umask=0022,uid=nobody,gid=0x10", "fmask=0022,dmask=0022,gid=16,rw"),
        ("vfat", "umask=abc,fmask=,dmask=8", "rw"),
        ("ext4", "relatime,noatime", "noatime,rw"),
        ("ext4", "noatime,relatime", "noatime,rw"),
        ("ext4", "noatime,strictatime,lazytime", "noatime,lazytime,rw"),
        ("ext4", "commit=060,discard,nodiscard", "commit=48,rw"),
        ("ext4", "commit=30,commit=abc", "commit=30,rw"),
        ("ext4", "commit=0x5", "rw"),
        ("btrfs", "compress=no", "rw"),
        ("btrfs", "compress", "compress=zlib:3,rw"),
        ("btrfs", "compress=zstd,compress-force=none", "rw"),
        ("btrfs", "compress=zstd,compress-force=lzo", "compress-force=lzo,rw"),
        ("btrfs", "compress=zstd:0,commit=010", "commit=8,rw"),
        ("btrfs", "compress=zstd,nodatacow", "rw"),
        ("btrfs", "autodefrag,noautodefrag", "rw"),
        ("btrfs", "subvol=nix,compress=zstd,discard=async", "subvol=/nix,compress=zstd:3,discard=async,rw"),
        ("btrfs", "subvol=/a/b,compress=zstd:1,discard", "subvol=/a/b,compress=zstd:1,discard,rw"),
        ("xfs", "discard,logbufs=8", "discard,rw"),
        ("tmpfs", "nr_inodes=1k,huge=always,nosuid", "nosuid,rw"),
        ("ntfs3", "discard,noexec", "noexec,rw"),
    ],
)
def test_which_declared_options_are_promised(kind: str, given: str, shown: str) -> None:
    assert mount_options.wanted(kind, given.split(",")).shown == set(shown.split(","))


@pytest.mark.parametrize(
    ("kind", "given", "there", "lacking"),
    [
        ("btrfs", "compress=no", "rw,compress=zstd:3", "compress=zstd:3"),
        ("btrfs", "compress=zstd", "rw,compress-force=zstd:3", "compress=zstd:3,compress-force=zstd:3"),
        ("btrfs", "nodiscard", "rw,discard=async", "discard=async"),
        ("btrfs", "compress=zstd:99", "rw,compress=zstd:15", ""),
        ("ext4", "commit=5", "rw,commit=30", "commit=30"),
        ("ext4", "relatime,noatime", "rw,noatime", ""),
        ("vfat", "uid=nobody", "rw,uid=65534", ""),
        ("vfat", "uid=0", "rw,uid=65534", "uid=65534"),
        ("vfat", "dmask=0022,umask=0077", "rw,fmask=0077,dmask=0077", ""),
    ],
)
def test_declared_options_that_are_not_in_force(kind: str, given: str, there: str, lacking: str) -> None:
    wanted = mount_options.wanted(kind, given.split(","))
    assert wanted.lacking(frozenset(there.split(","))) == set(filter(None, lacking.split(",")))


@pytest.mark.parametrize(
    ("given", "there", "after"),
    [
        ("noatime", "ro,nodev,noatime", "rw,nodev,noatime"),
        ("noatime,exec", "rw,relatime,noexec,commit=30", "rw,noatime,commit=30"),
        ("commit=60", "rw,relatime,commit=30", "rw,relatime,commit=60"),
        ("commit=5", "rw,relatime,commit=30", "rw,relatime"),
    ],
)
def test_the_options_after_a_remount(given: str, there: str, after: str) -> None:
    """A promise names what will be observed, and so do the options that mount(8) is given."""
    shown = frozenset(there.split(","))
    assert mount_options.wanted("ext4", given.split(",")).remounted(shown) == set(after.split(","))
    options = mount_options.remounting("ext4", given.split(","), shown)
    assert ("nodev" in options) == ("nodev" in shown)


@pytest.mark.parametrize(
    ("given", "there", "lacking", "options"),
    [
        ("noatime", "rw,relatime", "noatime", "rw,noatime"),
        ("", "ro,relatime", "ro,rw", "rw"),
        ("relatime", "rw,noatime", "noatime,relatime", "atime,rw,relatime"),
        ("exec,suid", "rw,noexec,nosuid", "noexec,nosuid", "exec,suid,rw"),
        ("ro", "rw", "ro,rw", "ro"),
        ("strictatime", "rw,relatime", "relatime", "norelatime,rw,strictatime"),
        ("nofail,noatime", "rw,noatime,extra", "", "rw,noatime"),
    ],
)
def test_the_options_for_a_remount(given: str, there: str, lacking: str, options: str) -> None:
    asked = [each for each in given.split(",") if each]
    shown = frozenset(there.split(","))
    assert mount_options.wanted("ext4", asked).lacking(shown) == {each for each in lacking.split(",") if each}
    assert mount_options.remounting("ext4", asked, shown) == tuple(options.split(","))


@pytest.mark.parametrize("option", ["", "a,b", " ro", "-o", "remount", "bind"])
def test_invalid_mount_options_are_refused(option: str) -> None:
    with pytest.raises(ValueError, match="option"):
        mount_options.check([option])
