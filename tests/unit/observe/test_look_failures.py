"""What could not be seen is never taken for what is not there."""

from __future__ import annotations

import subprocess
from pathlib import Path as FilePath

import pytest

from subfloor.core.errors import LookFailed
from subfloor.core.machine import AnySubject, Output
from subfloor.observe.hidden import Hidden, Hiding
from subfloor.observe.nixos import BootLeftovers, Configuration, InstalledSystem, Leftovers
from subfloor.observe.path import Absent, Node, Path
from subfloor.observe.swap import Swap, SwapState
from subfloor.observe.tag import Tag


def looked(subject: AnySubject, path: str = "/usr/sbin:/usr/bin:/sbin:/bin") -> object:
    """What a subject's probes and parser make of this machine, with these programs."""
    done = [
        subprocess.run(["/bin/sh", "-c", probe], capture_output=True, env={"PATH": path}) for probe in subject.probes()
    ]
    return subject.parse(*(Output(each.stdout, each.returncode) for each in done))


def test_a_path_is_not_reported_absent_if_stat_is_missing(tmp_path: FilePath) -> None:
    (tmp_path / "there").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "readlink").symlink_to("/bin/readlink")
    with pytest.raises(LookFailed, match="there cannot be inspected"):
        looked(Path(str(tmp_path / "there")), str(tmp_path / "bin"))
    with pytest.raises(LookFailed, match="gone cannot be inspected"):
        looked(Path(str(tmp_path / "gone")), str(tmp_path / "bin"))
    assert looked(Path(str(tmp_path / "gone"))) == Absent()


def test_an_owner_whose_name_has_a_space() -> None:
    seen = Path("/x/y").parse(Output(b"/x\n"), Output(b"41c0 1000 1001|jo doe|domain users\n"))
    assert seen == Node("directory", 0o700, frozenset({"1000", "jo doe"}), frozenset({"1001", "domain users"}))


@pytest.mark.parametrize("name", ["x", "a b", "new\nline", "back\\slash"])
def test_an_unreadable_directory_is_not_reported_as_having_nothing_to_hide(tmp_path: FilePath, name: str) -> None:
    target, source = tmp_path / name, tmp_path / "source"
    target.mkdir()
    source.mkdir()
    hidden = Hidden(str(target), str(source))
    assert looked(hidden) == Hiding()
    (target / "letter").touch()
    assert looked(hidden) == Hiding(("letter",))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "find").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "find").chmod(0o755)
    assert looked(hidden, f"{tmp_path}/bin:/usr/bin:/bin") == Hiding((), ("what cannot be listed",))
    with pytest.raises(LookFailed, match="cannot be compared"):
        hidden.parse(Output(b"", 1))


@pytest.mark.parametrize("source", ["a directory", "missing"])
@pytest.mark.parametrize("program", ["sort", "sed", "head"])
def test_a_lost_list_of_hidden_entries_fails_the_look_with_the_reason(
    tmp_path: FilePath, source: str, program: str
) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target/letter").touch()
    if source != "missing":
        (tmp_path / "source").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / program).write_text(f'#!/bin/sh\necho "{program}: out of luck" >&2\nexit 2\n')
    (tmp_path / "bin" / program).chmod(0o755)
    with pytest.raises(LookFailed, match=rf"target cannot be compared \({program}: out of luck\)"):
        looked(Hidden(str(tmp_path / "target"), str(tmp_path / "source")), f"{tmp_path}/bin:/usr/bin:/bin")


# A /dev as the kernel makes it (devtmpfs): its links to /proc/self/fd come from an init system.
_BARE_DEV = 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec sh -c "$1"'


@pytest.mark.root
@pytest.mark.parametrize(
    ("inside", "hiding"), [("", Hiding()), ("letter", Hiding(("letter",))), ("both", Hiding((), ("both",)))]
)
def test_content_that_a_bind_would_hide_is_seen_without_dev_fd_case_56(
    tmp_path: FilePath, inside: str, hiding: Hiding
) -> None:
    target, source = tmp_path / "target", tmp_path / "source"
    target.mkdir()
    source.mkdir()
    (source / "both").write_text("stored")
    if inside:
        (target / inside).write_text("here")
    hidden = Hidden(str(target), str(source))
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _BARE_DEV, "sh", *hidden.probes()]
    done = subprocess.run(argv, capture_output=True)
    assert hidden.parse(Output(done.stdout, done.returncode)) == hiding


def test_an_unreadable_list_of_swap_areas_is_not_reported_as_empty() -> None:
    with pytest.raises(LookFailed, match="/proc/swaps cannot be read"):
        Swap("/dev/vda2").parse(Output(b"/dev/vda2\n"), Output(b"", 1))
    assert Swap("/dev/vda2").parse(Output(b"/dev/vda2\n"), Output(b"")) == SwapState()


@pytest.mark.parametrize("status", [1, 4, 8, 127])
def test_a_failed_search_for_a_tag_is_not_reported_as_no_match(status: int) -> None:
    with pytest.raises(LookFailed, match=r"the search for the .* failed"):
        Tag("LABEL=nixos").parse(Output(b"", status))
    assert Tag("LABEL=nixos").parse(Output(b"")) == ()


@pytest.mark.parametrize("program", ["cat", "cmp", "readlink", "sed", "stat", "tr"])
def test_a_missing_program_is_a_failed_look_at_an_installation(tmp_path: FilePath, program: str) -> None:
    """A copy that could not be compared would be removed, and one that is whole is what the machine boots from."""
    (tmp_path / "bin").mkdir()
    for name in {"cat", "cmp", "readlink", "sed", "stat", "tr"} - {program}:
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    root, boot, record = (str(tmp_path / name) for name in ("root", "root/boot", "root/record"))
    for subject in (InstalledSystem(root, boot, record), BootLeftovers(boot, root, record)):
        with pytest.raises(LookFailed):
            looked(subject, str(tmp_path / "bin"))
    assert looked(InstalledSystem(root, boot, record)) == Absent()
    assert looked(BootLeftovers(boot, root, record)) == Leftovers()


def test_an_unreadable_configuration_is_not_reported_as_empty() -> None:
    for said in (b"", b"0  ./configuration.nix\0"):
        with pytest.raises(LookFailed, match="/etc/nixos cannot be read"):
            Configuration("/etc/nixos").parse(Output(said, 1))
