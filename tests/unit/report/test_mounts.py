"""The tree of mounts in a report: each mount point below the one that it lies in, as found and as declared."""

from __future__ import annotations

from subfloor.core.machine import Machine
from subfloor.core.outcome import HostReport, Survey
from subfloor.observe.mount import Mount, Mounted, MountState
from subfloor.report import html, markdown
from subfloor.report.mounts import branches
from subfloor.report.run import Run

TMPFS = MountState(Mounted("tmpfs", "tmpfs"))
STORE = MountState(Mounted("/dev/vda3", "ext4"))
BIND = MountState(Mounted("/dev/vda3", "ext4", "/persist/var/log"))
NOTHING = MountState()


def _machine(states: dict[str, MountState]) -> Machine:
    return Machine({Mount(path): state for path, state in states.items()})


def survey() -> Survey:
    found = {"/mnt": TMPFS, "/mnt/nix": STORE, "/mnt/var/log": NOTHING, "/mnt-other": STORE, "/mnt/unused": NOTHING}
    planned = {**found, "/mnt/var/log": BIND}
    return Survey(_machine(found), _machine(planned))


def test_each_lies_below_the_nearest_mount_point_above_it() -> None:
    assert [(each.depth, each.name, each.differs) for each in branches(survey())] == [
        *((0, "/mnt", False), (1, "nix", False), (1, "var/log", True), (0, "/mnt-other", False))
    ]


def test_the_root_is_above_everything() -> None:
    machine = Machine({Mount("/"): TMPFS, Mount("/nix"): STORE})
    assert [(each.depth, each.name) for each in branches(Survey(machine, machine))] == [(0, "/"), (1, "nix")]


def test_reports_show_it() -> None:
    run = Run("check", 2, "drift", hosts=(HostReport("localhost", survey=survey()),))
    text = markdown.render(run)
    assert "      nix       /dev/vda3 (ext4)\n" in text
    assert "      var/log   nothing; declared: /dev/vda3 (ext4, /persist/var/log in it)\n" in text
    page = html.render(run)
    assert "<h3>Mounts</h3>" in page
    assert "<td>nothing</td><td>/dev/vda3 (ext4, /persist/var/log in it)</td>" in page
