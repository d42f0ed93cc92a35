"""What a rehearsal makes of its options and of its three runs; the rehearsal itself is in tests/vm."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from subfloor import rehearse
from subfloor.core.secret import Secret
from subfloor.rehearse.rehearsal import _LIKE_UEFI, ACTS, BootedGuest, Run, complaint, disk_of, disks_in_words

GIB = 1 << 30

FIRST, AGAIN, CHECK = ACTS


@pytest.mark.parametrize(
    ("text", "disk"),
    [
        ("30GiB", rehearse.Disk(30 * GIB)),
        ("8GiB:nvme", rehearse.Disk(8 * GIB, bus="nvme")),
        ("8GiB:4096", rehearse.Disk(8 * GIB, sector=4096)),
        ("512MiB:virtio:512", rehearse.Disk(512 << 20)),
        ("8GiB:4096:nvme", rehearse.Disk(8 * GIB, bus="nvme", sector=4096)),
    ],
)
def test_a_disk_is_described_as_text(text: str, disk: rehearse.Disk) -> None:
    assert disk_of(text) == disk


@pytest.mark.parametrize("text", ["", "30", "30GB", "8GiB:scsi", "8GiB:1024", "0B", "1000B"])
def test_an_invalid_disk_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a size|out of range|bytes|neither a bus"):
        disk_of(text)


def test_disks_are_listed_by_their_names_in_the_guest() -> None:
    disks = tuple(map(disk_of, ("30GiB", "8GiB:nvme", "1GiB")))
    assert disks_in_words(disks) == ("/dev/vda (30GiB)", "/dev/nvme0n1 (8GiB)", "/dev/vdb (1GiB)")


def report(*outcomes: str) -> dict[str, Any]:
    tasks = [{"name": f"Task {number}", "outcome": outcome} for number, outcome in enumerate(outcomes)]
    return {"hosts": {"localhost": {"tasks": tasks}}}


@pytest.mark.parametrize(
    ("act", "run", "wrong"),
    [
        (FIRST, Run((), 0, report("changed", "ok")), None),
        (FIRST, Run((), 1, report("changed", "failed")), "the first apply ended with exit status 1"),
        (FIRST, Run((), 0, None), "the run wrote no report"),
        (AGAIN, Run((), 0, report("ok", "skipped")), None),
        (AGAIN, Run((), 0, report("ok", "changed")), "the second apply still made changes: Task 1"),
        (AGAIN, Run((), 3, report("refused")), "the second apply ended with exit status 3"),
        (CHECK, Run((), 0, report("ok")), None),
        (CHECK, Run((), 2, report("would-change")), "the check after the second apply ended with exit status 2"),
    ],
)
def test_each_run_has_to_behave(act: Any, run: Run, wrong: str | None) -> None:
    assert complaint(act, run) == wrong


def test_the_guest_gets_a_passphrase_on_its_standard_input() -> None:
    """Neither an argument nor the environment of the guest's subfloor contains it."""
    started: list[tuple[Sequence[str], Mapping[str, Any]]] = []

    class Guest:
        def run(self, argv: Sequence[str], **how: Any) -> subprocess.CompletedProcess[bytes]:
            started.append((argv, how))
            return subprocess.CompletedProcess(argv, 0, b"{}", b"")

    stage = BootedGuest(Guest(), 1e12, lambda text: None, colour=False)  # type: ignore[arg-type]
    words = ("play.yml", "--ask-passphrase", "one", "--ask-passphrase", "two")
    ran = stage.run(("check",), words, (Secret("correct horse"), Secret("staple")))
    ((argv, how),) = [each for each in started if "subfloor" in each[0]]
    assert how["stdin"] == b"correct horse\nstaple\n"
    assert tuple(argv[-len(words) - 6 : -6]) == words and "horse" not in f"{argv}{how['env']}{ran}"


@pytest.mark.root
def test_the_guest_looks_as_if_uefi_had_started_it() -> None:
    """Its kernel is started directly; the configuration that is rehearsed is for a machine that firmware starts."""
    look = f"set -e; {_LIKE_UEFI}; [ -d /sys/firmware/efi ]; {_LIKE_UEFI}"
    subprocess.run(["unshare", "--mount", "sh", "-c", look], check=True)
