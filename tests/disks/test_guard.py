"""What is finished stays marked as finished where its making anew is denied, so that a rerun asks again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from subfloor.act.host import Host
from subfloor.steps.partitioning import guard

pytestmark = pytest.mark.root


def test_a_device_in_use_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    image, at = tmp_path / "image", tmp_path / "at"
    at.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    found = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True)
    node = found.stdout.strip()
    try:
        with Host().shell() as shell:
            before = image.read_bytes()
            assert shell.run(guard(node).argv).status == 0
            assert image.read_bytes() == before
            subprocess.run(["mount", "-o", "ro", node, at], check=True)
            try:
                denied = shell.run(guard(node).argv)
            finally:
                subprocess.run(["umount", at], check=True)
            assert denied.status == 1 and b"busy" in denied.stderr
    finally:
        subprocess.run(["losetup", "--detach", node], check=True)
