"""The tasks that mount, bind, swap and write, on a real kernel, and judged by other tools than their own.

All that is mounted is in a mount namespace of its own, which ends with the shell that holds it. So nothing
is left behind, whatever fails. A test asks for its disks before its ground, which is then gone before them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loop_disks import attach, run, said, take_away
from subfloor.apply import Acting, apply, preflight
from subfloor.consent import Consent
from subfloor.errors import SubfloorError
from subfloor.host import Host, Shell
from subfloor.identity import Identity
from subfloor.parameters import build
from subfloor.plugins import Registry
from subfloor.task import Step, Task

pytestmark = pytest.mark.root

_REGISTRY = Registry()
_IDENTITY = Identity("seed", "host")


@dataclass(frozen=True)
class Entry:
    """A task as an entry of a play."""

    key: str
    task: Task
    name: str = ""
    why_skipped: str = ""


@dataclass(frozen=True)
class Seen:
    """A mount, as findmnt(8) sees it."""

    source: str
    type: str
    root: str
    options: frozenset[str]


@dataclass(frozen=True)
class Ground:
    """A shell in a mount namespace of its own, and a scratch directory."""

    shell: Shell
    path: Path

    def apply(self, *play: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Apply a play, and say what its steps did. What a check says of it before must be the same."""
        entries = _entries(play)
        plan = preflight(entries, self.shell, Consent())
        for report in plan.reports:
            if report.error:
                raise report.error
        done = list(apply(entries, plan.machine, Acting(self.shell, Consent())))
        for report in done:
            if report.error:
                raise report.error
        planned, taken = ([each.step for report in made for each in report.steps] for made in (plan.reports, done))
        assert list(map(_words, planned)) == list(map(_words, taken))
        return [step.says for step in taken]

    def settle(self, *play: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Apply a play, and apply it again, which must do nothing."""
        done = self.apply(*play)
        assert done, "there was nothing to do"
        assert self.apply(*play) == []
        return done

    def sh(self, script: str) -> str:
        """What a piece of sh prints, there. It must succeed."""
        found = self.shell.run(("sh", "-euc", f"cd {self.path}; {script}"))
        assert found.status == 0, found.stderr.decode()
        return found.stdout.decode().rstrip("\n")

    def mounts(self, path: str) -> list[dict[str, str]]:
        """What findmnt(8) says is mounted at a path, the last one on top."""
        found = self.shell.run(
            (
                "findmnt",
                "--json",
                "--notruncate",
                "--mountpoint",
                str(self.path / path),
                "-o",
                "SOURCE,FSTYPE,FSROOT,OPTIONS",
            )
        )
        return list(json.loads(found.stdout)["filesystems"]) if found.stdout.strip() else []

    def mount(self, path: str) -> Seen:
        """The one mount at a path."""
        (one,) = self.mounts(path)
        return Seen(one["source"], one["fstype"], one["fsroot"], frozenset(one["options"].split(",")))


def _words(step: Step) -> tuple[str, list[tuple[str, ...]]]:
    """What a report says of a step."""
    return step.says, [command.argv for command in step.commands]


def _entries(play: tuple[Mapping[str, Mapping[str, Any]], ...]) -> list[Entry]:
    tasks = [_task(key, values) for item in play for key, values in item.items()]
    return [Entry(task.key, task.within(tuple(tasks))) for task in tasks]


def _task(key: str, values: Mapping[str, Any]) -> Task:
    plugin = _REGISTRY.get(key)
    assert plugin
    return build(plugin.task, values, _IDENTITY)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    alone = ("unshare", "--mount", "--propagation", "private")
    with Host("here", alone).shell() as shell:
        yield Ground(shell, tmp_path)


@pytest.fixture
def ext4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A device with an ext4 on it."""
    made = attach(tmp_path_factory.mktemp("disk") / "ext4", "64M")
    try:
        run("mkfs.ext4", "-q", "-L", "shelf", made.node)
        yield made.node
    finally:
        take_away(made)


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A device with nothing on it."""
    made = attach(tmp_path_factory.mktemp("disk") / "bare", "320M")
    try:
        yield made.node
    finally:
        take_away(made)


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A disk with a GPT, an ext4 labelled cellar on its first partition, and a swap area on its second."""
    made = attach(tmp_path_factory.mktemp("disk") / "disk", "96M")
    try:
        made.sfdisk("label: gpt\nsize=64MiB, name=cellar\nname=swap\n")
        run("mkfs.ext4", "-q", "-L", "cellar", made.partition(1))
        run("mkswap", "-q", "-L", "swap", made.partition(2))
        yield made.node
    finally:
        run("swapoff", made.partition(2), check=False)
        take_away(made)


# tmpfs-mount


def test_tmpfs(ground: Ground) -> None:
    path = str(ground.path / "root")
    said = ground.settle({"tmpfs-mount": {"path": path, "size": "64MiB", "options": ["nosuid", "noatime"]}})
    assert said == [f"Mount a tmpfs of 64MiB at {path}"]
    mount = ground.mount("root")
    assert (mount.source, mount.type) == ("tmpfs", "tmpfs")
    assert {"size=65536k", "nosuid", "noatime"} <= mount.options
    assert ground.sh("stat -c %a:%u root; df --output=size root | tail -n 1").split() == ["755:0", "65536"]


@pytest.mark.parametrize("size", ["3%", "25%", "50%", "99%", "4097B", "1KiB"])
def test_tmpfs_of_any_size(ground: Ground, size: str) -> None:
    """The kernel's own rounding, and its default that it does not show, are predicted exactly."""
    ground.settle({"tmpfs-mount": {"path": str(ground.path / "root"), "size": size, "mode": "1777"}})


def test_tmpfs_that_drifted_case_62(ground: Ground) -> None:
    play = {"tmpfs-mount": {"path": str(ground.path / "root"), "size": "64MiB", "options": ["exec", "nodev"]}}
    ground.settle(play)
    ground.sh("echo kept > root/file; chmod 1777 root; mount -o remount,size=1M,noexec,dev root")
    assert len(ground.settle(play)) == 2
    mount = ground.mount("root")
    assert "noexec" not in mount.options and {"size=65536k", "nodev"} <= mount.options
    assert ground.sh("stat -c %a root; cat root/file").split() == ["755", "kept"]


def test_tmpfs_that_is_read_only(ground: Ground) -> None:
    play = {"tmpfs-mount": {"path": str(ground.path / "root"), "size": "1MiB"}}
    ground.settle(play)
    ground.sh("mount -o remount,ro root")
    ground.settle(play)
    ground.sh("touch root/file")


def test_tmpfs_that_holds_more_than_it_is_to_have_room_for_case_62(ground: Ground) -> None:
    play = {"path": str(ground.path / "x"), "size": "8MiB"}
    ground.settle({"tmpfs-mount": play})
    ground.sh("head -c 3M /dev/zero > x/y")
    with pytest.raises(SubfloorError, match=r"holds 3MiB, which is more than 2MiB"):
        ground.apply({"tmpfs-mount": play | {"size": "2MiB"}})
    ground.settle({"tmpfs-mount": play | {"size": "3MiB"}})
    ground.sh("rm x/y")
    ground.settle({"tmpfs-mount": play | {"size": "2MiB"}})


def test_tmpfs_where_there_is_another_mount(ext4: str, ground: Ground) -> None:
    ground.sh(f"mkdir root; mount {ext4} root")
    with pytest.raises(SubfloorError, match=r"ext4.* is mounted at .*root, and a tmpfs is wanted"):
        ground.apply({"tmpfs-mount": {"path": str(ground.path / "root"), "size": "1MiB"}})


def test_tmpfs_that_would_bury(ground: Ground) -> None:
    ground.sh("mkdir -p root/below; mount -t tmpfs tmpfs root/below")
    with pytest.raises(SubfloorError, match=r"would bury those at .*root/below"):
        ground.apply({"tmpfs-mount": {"path": str(ground.path / "root"), "size": "1MiB"}})


def test_tmpfs_behind_a_link_case_63(ground: Ground) -> None:
    ground.sh("mkdir elsewhere; ln -s elsewhere root")
    for path in ("root", "root/x"):
        with pytest.raises(SubfloorError, match=r"leads through a symbolic link: really it is .*elsewhere"):
            ground.apply({"tmpfs-mount": {"path": str(ground.path / path), "size": "1MiB"}})


# mount


def test_mount(ext4: str, ground: Ground) -> None:
    path = str(ground.path / "nix")
    options = ["noatime", "commit=30", "nofail", "x-systemd.automount"]
    assert ground.settle({"mount": {"path": path, "source": ext4, "type": "ext4", "options": options}}) == [
        f"Mount {ext4} (ext4) at {path}"
    ]
    mount = ground.mount("nix")
    assert (mount.source, mount.type) == (ext4, "ext4")
    assert {"rw", "noatime", "commit=30"} <= mount.options


def test_mount_that_drifted(ext4: str, ground: Ground) -> None:
    play = {"mount": {"path": str(ground.path / "nix"), "source": ext4, "type": "ext4", "options": ["noatime", "exec"]}}
    ground.settle(play)
    ground.sh("mount -o remount,ro,relatime,noexec nix")
    assert len(ground.settle(play)) == 1
    options = ground.mount("nix").options
    assert {"rw", "noatime"} <= options and "noexec" not in options


_OPTIONS = {
    "ext4": [["noatime", "commit=5"], ["discard", "nodiscard"], ["data=ordered", "lazytime", "errors=remount-ro"]],
    "xfs": [[], ["noatime", "logbufs=8"], ["nodev", "nosuid", "noexec", "sync"]],
    "btrfs": [
        ["compress=zstd", "autodefrag"],
        ["compress=zlib:5", "commit=30", "noatime"],
        ["compress-force=lzo", "commit=60"],
        ["subvol=/"],
    ],
    "vfat": [["umask=0077"], ["fmask=0133", "dmask=22", "uid=1000"], ["shortname=winnt", "utf8"]],
    "f2fs": [[], ["noatime", "nodiscard"]],
}
_KERNEL = Path("/proc/filesystems").read_text().split()


@pytest.mark.parametrize(
    ("kind", "options"), [(kind, given) for kind, every in _OPTIONS.items() if kind in _KERNEL for given in every]
)
def test_mount_of_any_type_and_options(bare: str, ground: Ground, kind: str, options: list[str]) -> None:
    """What is looked for is what this kernel shows."""
    force = {"xfs": ["-f"], "btrfs": ["-f"], "f2fs": ["-f"], "ext4": ["-F"]}
    run(f"mkfs.{kind}", *force.get(kind, []), bare)
    play = {"path": str(ground.path / "x"), "source": bare, "type": kind}
    ground.settle({"mount": {**play, "options": options}})
    ground.sh("umount x")
    ground.settle({"mount": {**play, "options": ["ro"]}})
    if kind in ("ext4", "btrfs"):
        ground.settle({"mount": {**play, "options": options}})


@pytest.mark.parametrize(("there", "wanted"), [("journal", "ordered"), ("ordered", "writeback"), ("", "journal")])
def test_a_way_of_journalling_that_no_remount_can_change(ext4: str, ground: Ground, there: str, wanted: str) -> None:
    ground.sh(f"mkdir x; mount -o rw{',data=' + there if there else ''} {ext4} x")
    play = {"path": str(ground.path / "x"), "source": ext4, "type": "ext4", "options": [f"data={wanted}"]}
    with pytest.raises(SubfloorError, match=r"is mounted with.* data=\w+, which no remount can change"):
        ground.apply({"mount": play})
    ground.sh("umount x")
    ground.settle({"mount": play})


def test_a_filesystem_that_the_kernel_made_read_only_case_64(ext4: str, ground: Ground) -> None:
    play = {"mount": {"path": str(ground.path / "x"), "source": ext4, "type": "ext4", "options": ["errors=remount-ro"]}}
    bind = {"bind-persist": {"path": "/home", "root": str(ground.path), "store": "/x"}}
    ground.settle(play)
    ground.settle(bind)
    ground.sh(f"echo 1 > /sys/fs/ext4/{Path(ext4).name}/trigger_fs_error; ! touch x/y")
    for each in (play, bind):
        with pytest.raises(SubfloorError, match=r"has become read-only: the kernel makes it so after an error"):
            ground.apply(each)
    ground.sh(f"umount home x; e2fsck -f -p {ext4} || [ $? = 1 ]")
    ground.settle(play)
    ground.settle(bind)
    ground.sh("touch x/y")


def test_mount_of_a_subvolume(bare: str, ground: Ground) -> None:
    run("mkfs.btrfs", "-f", bare)
    play = {"path": str(ground.path / "x"), "source": bare, "type": "btrfs"}
    ground.settle({"mount": play})
    ground.sh("btrfs subvolume create x/nix; umount x")
    ground.settle({"mount": {**play, "options": ["subvol=nix"]}})
    assert ground.mount("x").root == "/nix"
    with pytest.raises(SubfloorError, match=r"/nix in it.* is mounted at"):
        ground.apply({"mount": play})
    ground.settle({"bind-persist": {"path": "/home", "root": str(ground.path), "store": "/x"}})
    assert ground.mount("home").root == "/nix/home"


def test_mount_of_a_partition(disk: str, ground: Ground) -> None:
    ground.settle({"mount": {"path": str(ground.path / "nix"), "source": f"{disk}p1", "type": "ext4"}})
    assert ground.mount("nix").source == f"{disk}p1"
    with pytest.raises(SubfloorError, match=r"p2 holds swap, and ext4 is wanted"):
        ground.apply({"mount": {"path": str(ground.path / "x"), "source": f"{disk}p2", "type": "ext4"}})
    with pytest.raises(SubfloorError, match=r"has no partition 3"):
        ground.apply({"mount": {"path": str(ground.path / "x"), "source": f"{disk}p3", "type": "ext4"}})


@pytest.mark.parametrize("tag", ["LABEL=cellar", "PARTLABEL=cellar"])
def test_mount_by_a_tag_of_the_plays_own_disk(disk: str, ground: Ground, tag: str) -> None:
    swap = {"swap": {"device": f"{disk}p2"}}
    ground.settle(swap, {"mount": {"path": str(ground.path / "nix"), "source": tag, "type": "ext4"}})
    assert ground.mount("nix").source == f"{disk}p1"


def test_mount_by_a_tag_of_another_disk(ext4: str, ground: Ground) -> None:
    uuid = said("blkid", "-p", "-s", "UUID", "-o", "value", ext4)
    for path, tag in (("a", "LABEL=shelf"), ("b", f"/dev/disk/by-uuid/{uuid}")):
        ground.settle({"mount": {"path": str(ground.path / path), "source": tag, "type": "ext4"}})
        assert ground.mount(path).source == ext4
    with pytest.raises(SubfloorError, match=r"no device carries LABEL=nowhere"):
        ground.apply({"mount": {"path": str(ground.path / "c"), "source": "LABEL=nowhere", "type": "ext4"}})


def test_mount_of_a_label_that_two_carry(ext4: str, disk: str, ground: Ground) -> None:
    run("e2label", f"{disk}p1", "shelf")
    for play in ((), ({"swap": {"device": f"{disk}p2"}},)):
        with pytest.raises(SubfloorError, match=r"LABEL=shelf is ambiguous"):
            ground.apply(*play, {"mount": {"path": str(ground.path / "a"), "source": "LABEL=shelf", "type": "ext4"}})


def test_mount_of_what_is_unfinished(disk: str, ground: Ground) -> None:
    run("sfdisk", "-q", "--no-reread", "--no-tell-kernel", "--part-label", disk, "1", "cellar.unfinished")
    for source in (f"{disk}p1", "PARTLABEL=cellar"):
        swap = {"swap": {"device": f"{disk}p2"}}
        with pytest.raises(SubfloorError, match=r"not finished: the partition is named 'cellar.unfinished'"):
            ground.apply(swap, {"mount": {"path": str(ground.path / "nix"), "source": source, "type": "ext4"}})


def test_mounts_that_are_stacked_or_buried_case_59(ext4: str, ground: Ground) -> None:
    play = {"mount": {"path": str(ground.path / "root/nix"), "source": ext4, "type": "ext4"}}
    ground.sh("mkdir root")
    ground.settle(play)
    ground.sh("mount --bind root/nix root/nix")
    with pytest.raises(SubfloorError, match=r"2 mounts are stacked at"):
        ground.apply(play)
    ground.sh("umount root/nix; mount -t tmpfs tmpfs root/nix")
    with pytest.raises(SubfloorError, match=r"2 mounts are stacked at"):
        ground.apply(play)
    ground.sh("umount root/nix; mount -t tmpfs tmpfs root")
    with pytest.raises(SubfloorError, match=r"buried under what was later mounted"):
        ground.apply(play)
    ground.sh("umount root")
    assert ground.apply(play) == []


def test_mount_of_a_device_that_is_read_only(ext4: str, ground: Ground) -> None:
    run("blockdev", "--setro", ext4)
    play = {"path": str(ground.path / "nix"), "source": ext4, "type": "ext4"}
    try:
        with pytest.raises(SubfloorError, match=r"is read-only, and .* is to be writable"):
            ground.apply({"mount": play})
        ground.settle({"mount": {**play, "options": ["ro"]}})
    finally:
        run("blockdev", "--setrw", ext4)  # it would outlast the loop device's file


# swap


def test_swap(disk: str, ground: Ground) -> None:
    area = f"{disk}p2"
    assert ground.settle({"swap": {"device": area}}) == [f"Activate {area} as swap"]
    assert ground.settle({"swap": {"device": area, "priority": 7, "discard": "once"}}) == [
        f"Activate {area} as swap anew, with priority 7"
    ]
    lines = [line.split() for line in Path("/proc/swaps").read_text().splitlines()]
    assert [(line[0], line[-1]) for line in lines if line[0] == area] == [(area, "7")]
    with pytest.raises(SubfloorError, match=r"p1 holds ext4, and swap is wanted"):
        ground.apply({"swap": {"device": f"{disk}p1"}})


# directory


def test_directory(ground: Ground) -> None:
    path = ground.path / "srv/my data"
    play = {"directory": {"path": str(path), "owner": "1000", "group": "tty", "mode": "2750"}}
    ground.settle(play)
    assert ground.sh("stat -c %a:%u:%G 'srv/my data'; stat -c %a:%u srv").split() == ["2750:1000:tty", "755:0"]
    ground.sh("chown 0:0 'srv/my data'; chmod 0700 'srv/my data'")
    ground.settle(play)
    assert ground.sh("stat -c %a:%u:%G 'srv/my data'") == "2750:1000:tty"


def test_directory_where_something_else_is_case_63(ground: Ground) -> None:
    ground.sh("touch file; ln -s nowhere dangling; mkdir real; ln -s real link")
    for path, words in (
        ("file", "is a file"),
        ("dangling", "is a symbolic link"),
        ("file/x/y", "file is no directory"),
        ("link/x", "leads through a symbolic link"),
        ("dangling/x", "leads through a symbolic link"),
    ):
        with pytest.raises(SubfloorError, match=words):
            ground.apply({"directory": {"path": str(ground.path / path)}})


# bind-persist


@pytest.mark.parametrize("path", ["/var/log", "/it's/ödd \\ and\nlong $(x)"])
def test_bind_case_61(ext4: str, ground: Ground, path: str) -> None:
    """Ten runs leave as many mounts as one."""
    root = str(ground.path / "root")
    play = (
        {"tmpfs-mount": {"path": root, "size": "1MiB"}},
        {"mount": {"path": f"{root}/nix", "source": ext4, "type": "ext4"}},
        {"bind-persist": {"path": path, "root": root, "mode": "0750"}},
    )
    ground.settle(play[0], play[1])
    assert len(ground.settle(*play)) == 1
    for _ in range(10):
        assert ground.apply(*play) == []
    mount = ground.mount(f"root{path}")
    assert (mount.root, mount.source) == (f"/persist{path}", f"{ext4}[/persist{path}]")
    found = ground.shell.run(("stat", "-c", "%a", f"{root}{path}"))
    assert found.stdout == b"750\n"


def test_bind_of_a_bind_that_is_not_ours(ground: Ground) -> None:
    ground.sh("mkdir -p root/nix/persist/home root/home other; mount --bind other root/home")
    play = {"bind-persist": {"path": "/home", "root": str(ground.path / "root")}}
    with pytest.raises(SubfloorError, match=r"is mounted at .*root/home, and .*root/nix/persist/home, that is"):
        ground.apply(play)
    ground.sh("umount root/home")
    ground.settle(play)
    ground.sh("mount --bind root/nix/persist/home root/home")
    with pytest.raises(SubfloorError, match=r"2 mounts are stacked"):
        ground.apply(play)


def test_bind_whose_source_was_deleted_case_60(ground: Ground) -> None:
    play = {"bind-persist": {"path": "/home", "root": str(ground.path / "root")}}
    ground.settle(play)
    ground.sh("rmdir root/nix/persist/home")
    with pytest.raises(SubfloorError, match=r"what is bound to .*root/home was deleted"):
        ground.apply(play)
    ground.sh("umount root/home")
    ground.settle(play)


def test_bind_over_content(ground: Ground) -> None:
    play = {"path": "/etc/x", "root": str(ground.path / "root")}
    ground.sh("mkdir -p root/etc/x/sub root/nix/persist/etc/x; echo 1 > root/etc/x/sub/-a; ln -s nowhere root/etc/x/l")
    ground.sh("chmod 700 root/etc/x/sub; mkdir -p root/nix/persist/etc/x/l.unfinished; echo 2 > root/etc/x/'a b'")
    with pytest.raises(SubfloorError, match=r"would hide what is at .*: a b, l, sub, sub/-a"):
        ground.apply({"bind-persist": play})
    assert len(ground.settle({"bind-persist": {**play, "existing": "copy"}})) == 2
    assert ground.sh("cat root/etc/x/sub/-a; readlink root/etc/x/l; stat -c %a root/etc/x/sub").split() == [
        *("1", "nowhere", "700")
    ]
    assert ground.sh("ls root/nix/persist/etc/x").splitlines() == ["a b", "l", "sub"]


def test_bind_over_content_that_differs(ground: Ground) -> None:
    ground.sh("mkdir -p root/etc/x root/nix/persist/etc/x; echo 1 > root/etc/x/a; echo 2 > root/nix/persist/etc/x/a")
    play = {"path": "/etc/x", "root": str(ground.path / "root"), "existing": "copy"}
    with pytest.raises(SubfloorError, match=r"a at .*root/etc/x and in .*persist/etc/x differ"):
        ground.apply({"bind-persist": play})
    ground.sh("cp root/etc/x/a root/nix/persist/etc/x/a")
    ground.settle({"bind-persist": play})


def test_bind_over_very_much(ground: Ground) -> None:
    """However many entries agree, the one that is missing is found; and too many to list are not copied."""
    ground.sh(
        "mkdir -p root/x root/nix/persist/x; cd root/x; for i in $(seq 1100); do : > $i; done; cp * ../nix/persist/x"
    )
    ground.sh("echo 1 > root/x/zz")
    play = {"path": "/x", "root": str(ground.path / "root")}
    with pytest.raises(SubfloorError, match=r"would hide what is at .*: zz"):
        ground.apply({"bind-persist": play})
    ground.sh("rm root/nix/persist/x/*")
    with pytest.raises(SubfloorError, match=r"and 95 more"):
        ground.apply({"bind-persist": {**play, "existing": "copy"}})


def test_bind_of_a_file(ground: Ground) -> None:
    root = str(ground.path / "root")
    ground.sh("mkdir -p root/etc; echo 0123 > root/etc/machine-id")
    play = {"path": "/etc/machine-id", "root": root, "kind": "file", "mode": "0444", "existing": "copy"}
    ground.settle({"bind-persist": play})
    ground.settle({"bind-persist": {"path": "/etc/new", "root": root, "kind": "file", "owner": "1000"}})
    assert ground.sh("cat root/etc/machine-id; stat -c %a root/nix/persist/etc/machine-id").split() == ["0123", "444"]
    assert ground.sh("stat -c %a:%u:%s root/etc/new") == "644:1000:0"
    assert ground.mount("root/etc/machine-id").root.endswith("/root/nix/persist/etc/machine-id")


# nixos-config


def test_config(ext4: str, ground: Ground) -> None:
    root = str(ground.path / "root")
    uuid = ground.sh(f"blkid -p -o value -s UUID {ext4}").strip()
    mount = {"mount": {"path": f"{root}/nix", "source": f"UUID={uuid}", "type": "ext4", "options": ["noatime"]}}
    config = {"nixos-config": {"root": root, "state_version": "24.05"}}
    ground.sh("mkdir root")
    assert len(ground.settle(mount, config)) == 4
    assert ground.sh("ls root/etc/nixos; stat -c %a root/etc/nixos/*").split() == [
        *("configuration.nix", "filesystems.nix", "hardware-configuration.nix", "644", "644", "644")
    ]
    # Another version of the play writes it anew; what somebody edited is kept.
    mount["mount"]["options"] = ["relatime", "nodev"]
    assert ground.settle(mount, config)[-1] == f"Write {root}/etc/nixos/filesystems.nix"
    ground.sh("echo '# mine' >> root/etc/nixos/filesystems.nix")
    with pytest.raises(SubfloorError, match=r"(?s)was edited, or is not from here.*-# mine"):
        ground.apply(mount, config)
    ground.settle(mount, {"nixos-config": {**config["nixos-config"], "overwrite": True}})


# All of them


def test_the_whole_of_it(disk: str, ground: Ground) -> None:
    """A tmpfs root, again after it is gone: what is persistent is found, and what is not is made again."""
    root = str(ground.path / "root")
    play = (
        {"tmpfs-mount": {"path": root, "size": "16MiB"}},
        {"mount": {"path": f"{root}/nix", "source": f"{disk}p1", "type": "ext4"}},
        {"swap": {"device": f"{disk}p2"}},
        {"directory": {"path": f"{root}/srv"}},
        {"bind-persist": {"path": "/etc/nixos", "root": root}},
        {"nixos-config": {"root": root, "state_version": "24.05"}},
    )
    for part in range(1, len(play) + 1):
        ground.settle(*play[:part])
    files = ["configuration.nix", "filesystems.nix", "hardware-configuration.nix"]
    assert ground.sh("ls root/nix/persist/etc/nixos").split() == files
    ground.sh("umount -R root")
    before = preflight(_entries(play), ground.shell, Consent())
    assert [report.outcome for report in before.reports] == [
        *("would-change", "would-change", "ok", "would-change", "not-visible", "not-visible")
    ]
    # What a check cannot see yet, applying comes to.
    for report in apply(_entries(play), before.machine, Acting(ground.shell, Consent())):
        assert not report.error, report.error
    assert ground.apply(*play) == []
    assert ground.mount("root/etc/nixos").root == "/persist/etc/nixos"
