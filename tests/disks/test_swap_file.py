"""`swap-file` on real filesystems: created, activated, created anew, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from disks.mount_namespace import MountNamespace, entries, namespace
from loop_disks import attach, run, take_away
from subfloor.act.apply import preflight
from subfloor.core.consent import Consent
from subfloor.core.errors import SubfloorError
from subfloor.core.machine import Output
from subfloor.observe.swap_file import Offset, ResumeOffset

pytestmark = pytest.mark.root

__all__ = ["namespace"]  # fixtures

MAKE = {
    "btrfs": ("mkfs.btrfs", "-q"),
    "ext4": ("mkfs.ext4", "-q", "-b", "4096"),
    "xfs": ("mkfs.xfs", "-q"),
}


@pytest.fixture(params=MAKE)
def filesystem(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    kind = request.param
    made = attach(tmp_path_factory.mktemp("disk") / kind, "400M")
    try:
        run(*MAKE[kind], made.node)
        yield kind, made.node
    finally:
        take_away(made)


@pytest.fixture
def at(filesystem: tuple[str, str], namespace: MountNamespace) -> Iterator[str]:
    """A directory on the filesystem, which on btrfs is a subvolume that compresses."""
    kind, node = filesystem
    namespace.sh(f"mkdir at; mount {node} at")
    subvolume = "btrfs subvolume create at/s; btrfs property set at/s compression zstd"
    namespace.sh(subvolume if kind == "btrfs" else "mkdir at/s")
    yield str(namespace.path / "at/s")
    namespace.sh("for each in at/s/*; do swapoff $each || true; done")


def play(at: str, **more: Any) -> dict[str, Any]:
    return {"swap-file": {"path": f"{at}/swapfile", "size": "16MiB", **more}}


def active(at: str) -> list[tuple[str, str]]:
    """Size in KiB and priority."""
    lines = [line.split() for line in Path("/proc/swaps").read_text().splitlines()]
    return [(line[2], line[4]) for line in lines if line[0] == f"{at}/swapfile"]


def test_a_swap_file_is_created_and_activated(at: str, namespace: MountNamespace) -> None:
    created, activated = f"Create the swap file {at}/swapfile of 16MiB", f"Activate the swap file {at}/swapfile"
    assert namespace.settle(play(at)) == [created, activated]
    assert [size for size, _ in active(at)] == [f"{16 * 1024 - 4}"]
    assert namespace.sh("stat -c '%a %u %s' at/s/swapfile; ls -A at/s") == f"600 0 {16 << 20}\nswapfile"
    assert namespace.settle(play(at, priority=7)) == [f"{activated} again, with priority 7"]
    assert [priority for _, priority in active(at)] == ["7"]
    namespace.sh("swapoff at/s/swapfile; chmod 0644 at/s/swapfile")
    assert namespace.settle(play(at)) == [f"Set the mode of {at}/swapfile to 0600", activated]


def test_another_size_needs_an_inactive_file(at: str, namespace: MountNamespace) -> None:
    namespace.settle(play(at))
    with pytest.raises(SubfloorError, match=r"(?s)is active, and has 16MiB, but must have 24MiB.*swapoff"):
        namespace.apply(play(at, size="24MiB"))
    namespace.sh("swapoff at/s/swapfile")
    assert namespace.settle(play(at, size="24MiB"))[:2] == [
        f"Remove our inactive swap file {at}/swapfile of 16MiB",
        f"Create the swap file {at}/swapfile of 24MiB",
    ]


def test_an_active_file_is_recognised_through_another_mount(
    filesystem: tuple[str, str], at: str, namespace: MountNamespace
) -> None:
    """Also the UUID is the same, whatever the filesystem is mounted at."""
    namespace.settle(play(at))
    kind, node = filesystem
    namespace.sh(f"mkdir 'other place'; mount {'-o subvol=s' if kind == 'btrfs' else ''} {node} 'other place'")
    inside = "other place" if kind == "btrfs" else "other place/s"
    assert namespace.apply(play(str(namespace.path / inside))) == []


def test_a_file_that_is_not_ours_is_refused(at: str, namespace: MountNamespace) -> None:
    for script, words in (
        ("dd if=/dev/urandom of=at/s/swapfile bs=1M count=16", "is not a swap file of this play"),
        ("truncate -s 16M at/s/swapfile", "is not a swap file of this play"),
        ("truncate -s 16M at/s/swapfile; mkswap at/s/swapfile", "is not a swap file of this play"),
        ("mkdir at/s/swapfile", "is a directory, but must be a file"),
        ("ln -s nowhere at/s/swapfile", "is a symbolic link"),
    ):
        namespace.sh(f"rm -rf at/s/swapfile; {script}; chmod 0600 at/s/swapfile || true")
        before = namespace.sh("find at/s -type f -exec sha256sum {} +; ls -la --time-style=full-iso at/s")
        with pytest.raises(SubfloorError, match=words):
            namespace.apply(play(at))
        assert namespace.sh("find at/s -type f -exec sha256sum {} +; ls -la --time-style=full-iso at/s") == before
    with pytest.raises(SubfloorError, match="swap files are supported on btrfs, ext4, xfs"):
        namespace.sh("mkdir memory; mount -t tmpfs tmpfs memory")
        namespace.apply(play(str(namespace.path / "memory")))


def test_leftovers_of_an_interrupted_run_are_replaced(at: str, namespace: MountNamespace) -> None:
    """Whatever lies under the unfinished name; and a file that the kernel could not swap to."""
    namespace.settle(play(at))
    uuid = namespace.sh("blkid -p -o value -s UUID at/s/swapfile")
    namespace.sh("swapoff at/s/swapfile; rm at/s/swapfile")
    (unfinished,) = {word for word in sum(_commands(namespace, at), ()) if word.endswith(".unfinished")}
    namespace.sh(f"truncate -s 100M {unfinished}; chmod 0644 {unfinished}")
    assert len(namespace.settle(play(at))) == 2
    assert namespace.sh("ls -A at/s") == "swapfile"
    namespace.sh(
        f"swapoff at/s/swapfile; rm at/s/swapfile; truncate -s 16M at/s/swapfile; mkswap -U {uuid} at/s/swapfile"
    )
    assert namespace.settle(play(at))[0].startswith(f"Remove our inactive swap file {at}/swapfile of 16MiB, with ")


def _commands(namespace: MountNamespace, at: str) -> list[tuple[str, ...]]:
    """The commands that would be run."""
    plan = preflight(entries((play(at),)), namespace.shell, Consent())
    return [each.argv for report in plan.reports for step in report.steps for each in step.step.commands]


def test_a_rerun_resumes_after_every_command(at: str, namespace: MountNamespace) -> None:
    """Each prefix of the commands is what a crash can leave."""
    commands = _commands(namespace, at)
    for done in range(len(commands) + 1):
        for argv in commands[:done]:
            assert namespace.shell.run(argv).status == 0, argv
        namespace.apply(play(at))
        assert namespace.apply(play(at)) == []
        assert namespace.sh("ls -A at/s") == "swapfile"
        namespace.sh("swapoff at/s/swapfile; rm at/s/swapfile")


def test_the_resume_offset_is_correct(filesystem: tuple[str, str], at: str, namespace: MountNamespace) -> None:
    """The area's header is found there on the device itself."""
    namespace.settle(play(at))
    namespace.sh("sync -f at/s; swapoff at/s/swapfile")
    found = namespace.shell.run(("sh", "-c", ResumeOffset(f"{at}/swapfile").probes()[0]))
    offset = ResumeOffset(f"{at}/swapfile").parse(Output(found.stdout, found.status))
    assert isinstance(offset, Offset)
    block = f"if={filesystem[1]}", "bs=4096", f"skip={offset.pages}", "count=1"
    header = run("dd", *block, "iflag=direct").stdout  # the device's own cache does not see what a filesystem writes
    assert header.endswith(b"SWAPSPACE2")
    uuid = namespace.sh("blkid -p -o value -s UUID at/s/swapfile")
    assert re.sub(r"-", "", uuid) == header[1036:1052].hex()
