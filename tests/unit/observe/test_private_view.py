"""What a look in a mount namespace of its own says of the filesystems that it should show."""

from __future__ import annotations

import subprocess

from subfloor.core.machine import Output
from subfloor.observe.private_view import Place, PrivateView, Unmounted

NIX = Unmounted("/dev/vda3", "ext4", "7cc6c4e2-dc15-5fdc-bed0-03b0eaa91f09")
BOOT = Unmounted("/dev/vda1", "vfat", "ABCD-1234")
VIEW = PrivateView(
    (Place("/mnt"), Place("/mnt/boot", BOOT), Place("/mnt/it's", NIX, "/per sist"), Place("/mnt/nix", NIX))
)


def test_all_is_shown_if_nothing_is_said() -> None:
    shown = VIEW.parse(Output(b"\n"))
    assert (shown.missing, shown.notes) == ({}, {})


def test_a_filesystem_that_cannot_be_opened_is_missing_at_all_its_places() -> None:
    shown = VIEW.parse(Output(b"unopened 2 another program is at work\nnote 1 its journal\n\n"))
    assert shown.missing == {"/mnt/it's": "another program is at work", "/mnt/nix": "another program is at work"}
    assert shown.notes == {"/dev/vda1": "its journal"}


def test_a_place_that_cannot_be_made_is_missing_alone() -> None:
    assert VIEW.parse(Output(b"missing 1 no mount point\n")).missing == {"/mnt/boot": "no mount point"}


def test_without_a_namespace_the_last_line_is_the_reason() -> None:
    said = "\nunshare: unshare failed: Operation not permitted\n\n"
    shown = VIEW.not_shown(said)
    assert set(shown.missing) == {"/mnt", "/mnt/boot", "/mnt/it's", "/mnt/nix"}
    assert set(shown.missing.values()) == {"unshare: unshare failed: Operation not permitted"}


def test_the_script_is_sh_whatever_the_paths_are() -> None:
    text = VIEW.around(VIEW.probes()[0])
    assert subprocess.run(["sh", "-n"], input=text.encode(), capture_output=True, check=False).returncode == 0
    assert subprocess.run(["sh", "-n"], input=VIEW.probes()[0].encode(), check=False).returncode == 0
