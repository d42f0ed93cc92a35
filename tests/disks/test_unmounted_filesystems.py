"""Checks that look into filesystems that are not mounted: what they see; and that nothing is written, nothing left."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from disks import plays
from loop_disks import LoopDisk, MakeDisk, disk, released, run, said
from subfloor.act.apply import Depth, Plan, preflight
from subfloor.act.host import Host
from subfloor.core.consent import Consent
from subfloor.core.machine import Output
from subfloor.observe.private_view import Place, PrivateView, Unmounted

pytestmark = pytest.mark.root

__all__ = ["disk"]  # a fixture

SIZES = {"ext4": "48MiB", "xfs": "300MiB", "btrfs": "112MiB"}
JOURNAL = "its journal was not replayed, so the last writes may be missing from this report"


class MountNamespace:
    """A disk with one filesystem for each of these types, the play that made it, and its mount points."""

    def __init__(self, made: LoopDisk, root: Path, *types: str) -> None:
        self.disk, self.root, self.types = made, root, types
        self.play: plays.Play = [("gpt-label", {"device": made.node, "disk": str(root)})]
        for number, each in enumerate(types, 1):
            part = {"device": made.node, "number": number, "name": each, "type": "linux", "size": SIZES[each]}
            self.play += [("aligned-partition", part), ("mkfs", {"device": made.partition(number), "type": each})]
        for number, each in enumerate(types, 1):
            path = str(root / each)
            self.play += [("mount", {"path": path, "source": made.partition(number), "type": each})]
            self.play += [("directory", {"path": f"{path}/kept", "mode": "0750"})]

    def unmount(self) -> None:
        for number, each in enumerate(self.types, 1):
            run("umount", self.root / each)
            released(self.disk.partition(number))

    def settle(self, *binds: str) -> None:
        """Apply the play, and unmount everything, the binds at these paths first."""
        reports = plays.applied(self.play)
        assert set(plays.outcomes(reports)) <= {"ok", "changed"}, plays.outcomes(reports)
        for each in binds:
            run("umount", self.root / each)
        self.unmount()

    @contextmanager
    def inside(self, kind: str) -> Iterator[Path]:
        """The directory of a filesystem, mounted by hand and somewhere else."""
        at = self.root / "by-hand"
        at.mkdir(exist_ok=True)
        part = self.disk.partition(self.types.index(kind) + 1)
        run("mount", part, at)
        try:
            yield at
        finally:
            run("umount", at)
            released(part)

    def state(self) -> tuple[str, int, str, str]:
        """What a check must not change: every byte, the count of writes, the loop devices, the mounts."""
        loops = said("losetup", "--noheadings", "--output", "NAME,BACK-FILE")
        ours = "\n".join(line for line in loops.splitlines() if self.disk.node in line.partition(" ")[2])
        mounts = Path("/proc/self/mountinfo").read_text()
        return (
            self.disk.digest(),
            self.disk.writes(),
            ours,
            "\n".join(m for m in mounts.split("\n") if self.disk.node in m),
        )


MakeGround = Callable[..., MountNamespace]


@pytest.fixture
def namespace(disk: MakeDisk, tmp_path: Path) -> Iterator[MakeGround]:
    made: list[MountNamespace] = []

    def make(*types: str) -> MountNamespace:
        made.append(MountNamespace(disk("512MiB"), tmp_path, *types))
        made[-1].settle()
        return made[-1]

    yield make
    for each in made:
        for kind in each.types:
            while run("umount", each.root / kind, check=False).returncode == 0:
                pass


def planned(namespace: MountNamespace, depth: Depth = "deep", host: Host | None = None) -> Plan:
    """The plan of a check, which changes nothing."""
    before = namespace.state()
    plan = planned_while_mounted(namespace, depth, host)
    assert namespace.state() == before
    return plan


def planned_while_mounted(namespace: MountNamespace, depth: Depth = "deep", host: Host | None = None) -> Plan:
    """The plan of a check; what is mounted and writable, the kernel may write at any time."""
    with (host or Host()).shell() as shell:
        return preflight(plays.entries(namespace.play), shell, Consent(), depth=depth)


def outcomes(plan: Plan) -> dict[str, str]:
    """The outcome of each directory, by the type of its filesystem."""
    made = (report for report in plan.reports if report.task == "directory")
    return {Path(str(report.declared.path)).parent.name: str(report.outcome) for report in made}  # type: ignore[union-attr]


def test_a_check_sees_drift_in_filesystems_that_are_not_mounted(namespace: MakeGround) -> None:
    here = namespace("ext4", "xfs", "btrfs")
    first = planned(here)
    assert outcomes(first) == {"ext4": "ok", "xfs": "ok", "btrfs": "ok"}, first.unmounted
    with here.inside("ext4") as at:
        (at / "kept").chmod(0o700)
    with here.inside("xfs") as at:
        (at / "kept").rmdir()
    plan = planned(here)
    assert outcomes(plan) == {"ext4": "would-change", "xfs": "would-change", "btrfs": "ok"}
    found = {
        each.subject: (str(each.before), str(each.after)) for report in plan.reports for each in report.differences
    }
    assert found[str(here.root / "ext4/kept")] == ("0700", "0750")
    assert found[str(here.root / "xfs/kept")][0] == "absent"
    assert [(each.path, each.unseen, each.note) for each in plan.unmounted] == [
        (str(here.root / each), "", "") for each in here.types
    ]
    assert set(plays.outcomes(plays.applied(here.play))) == {"ok", "changed"}
    settled = planned_while_mounted(here)
    assert set(plays.outcomes(settled.reports)) == {"ok"} and settled.unmounted == ()


def test_without_the_look_it_says_what_it_did_not_see(namespace: MakeGround) -> None:
    here = namespace("ext4")
    plan = planned(here, "shallow")
    assert outcomes(plan) == {"ext4": "not-visible"}
    (only,) = plan.unmounted
    assert (only.source, only.path) == (here.disk.partition(1), str(here.root / "ext4"))
    assert only.unseen == "--shallow was given"
    assert planned(here, "mounted").unmounted == ()


SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN (_IOR('X', 125, __u32)): the filesystem writes nothing more; 1: after its journal."""


def cut_power(here: MountNamespace, kind: str) -> None:
    """Leave a filesystem as a power cut does: a file was written and flushed, and the journal not replayed."""
    part, kept = here.disk.partition(here.types.index(kind) + 1), here.root / "cut.img"
    with here.inside(kind) as at:
        (at / "late").write_text("late")
        with (at / "late").open("r+") as file:
            os.fsync(file.fileno())
        if kind == "btrfs":
            run("dd", f"if={part}", f"of={kept}", "bs=1M", "iflag=direct")
        else:
            with suppress(OSError):  # xfs may say that it is shut down
                fcntl.ioctl(opened := os.open(at, os.O_RDONLY), SHUTDOWN, struct.pack("I", 1))
            os.close(opened)
    if kind == "btrfs":
        run("dd", f"if={kept}", f"of={part}", "bs=1M", "oflag=direct")
        kept.unlink()
        run("blockdev", "--flushbufs", part)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_no_journal_is_replayed(namespace: MakeGround, kind: str) -> None:
    here = namespace(kind)
    cut_power(here, kind)
    plan = planned(here)
    assert outcomes(plan) == {kind: "ok"}
    (only,) = plan.unmounted
    assert (only.unseen, only.note) == ("", "" if kind == "btrfs" else JOURNAL)
    with here.inside(kind) as at:  # this mount does
        assert (at / "late").read_text() == "late"
    assert not planned(here).unmounted[0].note


def test_an_error_that_the_kernel_finds_is_not_written_to_the_superblock(namespace: MakeGround) -> None:
    here = namespace("ext4")
    part = here.disk.partition(1)
    run("debugfs", "-w", "-R", "clri kept", part)
    run("blockdev", "--flushbufs", part)
    assert outcomes(planned(here)) == {"ext4": "would-change"}
    assert "clean" in said("dumpe2fs", "-h", part) and "FS Error count" not in said("dumpe2fs", "-h", part)
    run("mount", "-o", "ro,noload,errors=continue", part, here.root / "ext4")  # a mount of the device itself writes
    assert not os.access(here.root / "ext4/kept", os.F_OK)
    here.unmount()
    assert "FS Error count" in said("dumpe2fs", "-h", part)


def test_a_filesystem_that_is_not_ours_is_not_mounted(namespace: MakeGround) -> None:
    here = namespace("ext4")
    here.play = [each for each in here.play if each[0] in ("mount", "directory")]
    plan = planned(here)
    assert outcomes(plan) == {"ext4": "not-visible"}
    assert plan.unmounted[0].unseen == "it does not carry the UUID that this play gives"


def test_a_filesystem_that_was_replaced_since_the_plan_was_made_is_not_mounted(namespace: MakeGround) -> None:
    here = namespace("ext4")
    path = str(here.root / "ext4")
    view = PrivateView((Place(path, Unmounted(here.disk.partition(1), "ext4", str(uuid4()))),))
    looked = run("sh", "-c", view.around(view.probes()[0]), check=False)
    shown = view.parse(Output(looked.stdout, looked.returncode))
    assert shown.missing == {path: "it no longer carries the UUID that this play gives"}


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
def test_what_is_mounted_elsewhere_is_seen_there(namespace: MakeGround, kind: str) -> None:
    here = namespace(kind)
    with here.inside(kind) as at:
        (at / "kept").chmod(0o711)
        assert outcomes(planned_while_mounted(here)) == {kind: "would-change"}


def test_the_lock_of_another_program_is_respected(namespace: MakeGround) -> None:
    here = namespace("ext4")
    with Path(here.disk.node).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        plan = planned(here)
    assert plan.unmounted[0].unseen == "another program has locked its disk"
    assert outcomes(plan) == {"ext4": "not-visible"}


def test_missing_mount_points_are_made_in_memory_only(namespace: MakeGround) -> None:
    here = namespace("ext4")
    (here.root / "ext4").rmdir()
    (here.root / "beside").mkdir()
    (here.root / "beside/file").write_text("kept")
    here.play += [("directory", {"path": str(here.root / "beside"), "mode": "0755"})]
    plan = planned(here)
    assert outcomes(plan)["ext4"] == "ok" and not plan.unmounted[0].unseen
    assert not (here.root / "ext4").exists() and (here.root / "beside/file").read_text() == "kept"


def test_what_the_plan_changes_is_not_shown_elsewhere_as_it_was(namespace: MakeGround) -> None:
    here = namespace("ext4")
    store = here.root / "ext4"
    here.play += [
        ("directory", {"path": f"{store}/var/log/inner"}),
        ("bind-persist", {"path": "/var/log", "root": str(here.root), "store": "/ext4"}),
        ("directory", {"path": str(here.root / "var/log/inner")}),
    ]
    here.settle("var/log")
    assert set(plays.outcomes(planned(here).reports)) == {"ok", "would-change"}
    with here.inside("ext4") as at:
        (at / "var/log/inner").chmod(0o700)
    plan = planned(here)
    assert [str(report.outcome) for report in plan.reports][-3:] == ["would-change", "would-change", "not-visible"]
    assert plan.unmounted[-1].path == str(here.root / "var/log")
    assert plan.unmounted[-1].unseen == "this plan changes its content"


def test_where_no_namespace_can_be_made_that_is_said(namespace: MakeGround, tmp_path: Path) -> None:
    here, programs = namespace("ext4"), tmp_path / "programs"
    programs.mkdir()
    for each in (*Path("/usr/bin").iterdir(), *Path("/bin").iterdir()):
        with suppress(FileExistsError):
            (programs / each.name).symlink_to(each)
    (programs / "unshare").unlink()
    plan = planned(here, host=Host(prefix=(str(programs / "env"), f"PATH={programs}")))
    assert outcomes(plan) == {"ext4": "not-visible"}
    assert "unshare" in plan.unmounted[0].unseen and "not found" in plan.unmounted[0].unseen


def test_a_look_that_is_killed_leaves_nothing(namespace: MakeGround, tmp_path: Path) -> None:
    here, begun = namespace("ext4"), tmp_path / "begun"
    part = here.disk.partition(1)
    uuid = said("blkid", "-p", "-s", "UUID", "-o", "value", part)
    view = PrivateView((Place(str(here.root / "ext4"), Unmounted(part, "ext4", uuid)),))
    before = here.state()
    text = view.around(f"{view.probes()[0]}\nls {here.root}/ext4 > {begun}.new; mv {begun}.new {begun}; sleep 1000")
    look = subprocess.Popen(["sh", "-c", text], start_new_session=True, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not begun.exists():
        assert time.monotonic() < deadline and look.poll() is None
        time.sleep(0.05)
    assert "kept" in begun.read_text() and here.state()[2]
    os.killpg(look.pid, signal.SIGKILL)
    look.wait()
    while here.state() != before:
        assert time.monotonic() < deadline, here.state()
        time.sleep(0.05)


def test_a_device_that_the_kernel_does_not_have_is_named_as_the_reason(tmp_path: Path) -> None:
    path, node = str(tmp_path), "/dev/no-such-device"
    view = PrivateView((Place(path, Unmounted(node, "ext4", str(uuid4()))),))
    looked = run("sh", "-c", view.around(view.probes()[0]), check=False)
    assert view.parse(Output(looked.stdout, looked.returncode)).missing == {
        path: "the kernel does not have this device yet"
    }
