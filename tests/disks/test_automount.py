"""An automount that waits at a place: no look makes it mount anything, or waits for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from disks.devices import ext4
from places import TESTS

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif("autofs" not in Path("/proc/filesystems").read_text(), reason="this kernel has no autofs"),
]

__all__ = ["ext4"]  # a fixture

# Nobody answers at the other end of the pipe: whoever made the kernel ask it to mount would wait for ever.
_SCRIPT = """
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None)
_, end = os.pipe()
options = f"fd={end},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
assert libc.mount(b"systemd-1", os.fsencode(sys.argv[1]), b"autofs", 0, options.encode()) == 0
sys.exit(subprocess.run([sys.executable, "-c", *sys.argv[2:]], start_new_session=True, timeout=60).returncode)
"""
_CHECK = """
import sys
from disks.plays import entries
from subfloor.act.apply import preflight
from subfloor.core.consent import Consent
from subfloor.act.host import Host
path, source = sys.argv[1:]
mount = {"path": path, "source": source, "type": "ext4", "options": ["x-systemd.automount"]}
play = [("mount", mount), ("tmpfs-mount", {"path": path, "size": "1MiB"})]
with Host().shell() as shell:
    for report in preflight(entries(play), shell, Consent()).reports:
        print(report.outcome.value, report.error)
"""


def test_an_idle_automount_is_in_sync(ext4: str, tmp_path: Path) -> None:
    place = tmp_path / "x"
    place.mkdir()
    found = subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private", sys.executable, "-c", _SCRIPT),
            *(str(place), _CHECK, str(place), ext4),
        ],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{TESTS}:{TESTS}/support", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        check=False,
    )
    assert found.returncode == 0, found.stderr
    mount, tmpfs = found.stdout.splitlines()[:2]
    assert mount == "ok None"
    assert tmpfs.startswith(f"refused {place} is an automount that is not mounted yet")
