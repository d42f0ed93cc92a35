"""What is forgotten under a tmpfs root: each path is told of, once, with its reason, until it is kept or excused."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from subfloor.core.consent import Consent
from subfloor.core.contributions import FileSystem, Persisted
from subfloor.core.engine import Entry, imagine
from subfloor.core.machine import Machine
from subfloor.core.parameters import build
from subfloor.core.task import Task
from subfloor.nixos import lint
from subfloor.nixos.layout import Layout
from subfloor.nixos.releases import Releases
from subfloor.nixos.users import User, administrators
from subfloor.playbook.registry import Registry
from whole_playbooks import NIXOS, VARIANTS, blank, entries

REGISTRY = Registry()
ROOT = FileSystem("/", "tmpfs", "tmpfs")
NIX = FileSystem("/nix", "/dev/disk/by-label/nixos", "ext4")
ADA = {"ada": User(uid=1000, groups=("wheel",), password_file="/secrets/ada")}
NEEDED = tuple(
    lint.needs(Layout((ROOT, NIX)), ADA, "/etc/nixos", "/nix/persist/etc/ssh"),
)
PATHS = [need.path for need in NEEDED]


def forgotten(
    kept: tuple[str, ...], *, root: FileSystem = ROOT, excused: Mapping[str, str] | None = None, store: str = "/nix"
) -> tuple[str, ...]:
    persisted = tuple(Persisted(path, "/nix/persist") for path in kept)
    return lint.forgotten(Layout((root, NIX), persisted), ADA, "/etc/nixos", store, excused or {})


def test_the_needs_of_a_system() -> None:
    """The paths that the documentation of impermanence and people's accounts of their losses agree on."""
    assert PATHS == [
        "/etc/machine-id",
        "/var/lib/nixos",
        "/var/lib/systemd",
        "/var/log",
        "/etc/NetworkManager/system-connections",
        "/var/lib/bluetooth",
        "/root",
        "/var/lib/private",
        "/var/lib/NetworkManager",
        "/var/lib/dhcpcd",
        "/etc/nixos",
        "/nix/persist/etc/ssh",
        "/secrets/ada",
        "/home/ada",
    ]
    assert all(need.otherwise for need in NEEDED)


@pytest.mark.parametrize("path", [path for path in PATHS if not path.startswith("/nix/")])
def test_each_path_is_reported_once_with_its_reason(path: str) -> None:
    others = tuple(each for each in PATHS if each != path)
    (warning,) = forgotten(others)
    (reason,) = (need.otherwise for need in NEEDED if need.path == path)
    assert warning.startswith(f"{path} does not survive a reboot: {reason}; ")
    assert forgotten(others, excused={path: "it is known elsewhere"}) == ()
    assert forgotten((*others, path)) == ()


def test_host_keys_are_lost_only_with_the_store_that_holds_them() -> None:
    assert forgotten(tuple(PATHS)) == ()
    (warning,) = forgotten(tuple(PATHS), store="/persist")
    assert warning.startswith("/persist/etc/ssh does not survive a reboot: sshd gets new host keys")


@pytest.mark.parametrize(("kept", "told"), [("/var/lib", 0), ("/home", 0), ("/home/ada/work", 0), ("/home/adam", 1)])
def test_a_directory_above_will_do_and_of_a_home_something_in_it(kept: str, told: int) -> None:
    lacking = {path for path in PATHS if path.startswith(("/var/lib/", "/home/"))}
    others = tuple(path for path in PATHS if path not in lacking or not path.startswith(kept[:5]))
    assert len(forgotten((*others, kept))) == told


def test_a_filesystem_of_its_own_will_do() -> None:
    layout = Layout((ROOT, NIX, FileSystem("/var", "/dev/disk/by-label/var", "ext4")))
    told = lint.forgotten(layout, {}, "/etc/nixos", None, {})
    assert not any(warning.startswith("/var/") for warning in told)
    in_memory = Layout((ROOT, NIX, FileSystem("/var", "tmpfs", "tmpfs")))
    assert any(warning.startswith("/var/log") for warning in lint.forgotten(in_memory, {}, "/etc/nixos", None, {}))


def test_a_root_on_a_disk_forgets_nothing() -> None:
    assert forgotten((), root=FileSystem("/", "/dev/disk/by-label/root", "ext4")) == ()


IN_MEMORY = User(groups=("wheel",), password_file="/var/p")


@pytest.mark.parametrize(
    ("users", "openssh", "out"),
    [
        ({}, True, True),
        ({"ada": User(groups=("wheel",))}, True, True),
        ({"ada": User(ssh_keys=("k",))}, True, True),
        ({"ada": User(groups=("wheel",), ssh_keys=("k",))}, True, False),
        ({"ada": User(groups=("wheel",), ssh_keys=("k",))}, False, True),
        ({"ada": User(groups=("wheel",), password_file="/nix/p")}, False, False),
        ({"ada": IN_MEMORY}, False, True),
        ({"root": User(ssh_keys=("k",))}, True, False),
        ({"root": User(ssh_keys=("k",))}, False, True),
    ],
)
def test_whether_anybody_can_log_in(users: Mapping[str, User], openssh: bool, out: bool) -> None:
    """A key is of no use while sshd is off, and a password's file none where it is gone after a boot."""
    who = administrators(users, "/etc/nixos", openssh, excused=False)
    assert lint.is_locked_out(who, Layout((ROOT, NIX))) == out
    excused = administrators(users, "/etc/nixos", openssh, excused=True)
    assert not lint.is_locked_out(excused, Layout((ROOT, NIX)))


# In a play.


def warnings(*tasks: Task) -> tuple[str, ...]:
    return tuple(warning for task in tasks for warning in task.within(tasks).warnings())


def task(key: str, **values: Any) -> Task:
    plugin = REGISTRY.get(key)
    assert plugin
    return build(plugin.task, values, None)


def test_a_play_gets_warnings_and_can_disable_them() -> None:
    root = task("tmpfs-mount", path="/mnt", size="1GiB")
    log = task("bind-persist", root="/mnt", path="/var/log")
    told = warnings(root, log, task("nixos-config", state_version="24.05", no_login="a kiosk"))
    assert [warning.split()[0] for warning in told] == [path for path in PATHS[:11] if path != "/var/log"]
    excused = dict.fromkeys(PATHS[:11], "nobody looks")
    config = task("nixos-config", state_version="24.05", no_login="a kiosk", not_persisted=excused)
    assert warnings(root, config) == ()
    (told_of,) = warnings(root, task("nixos-config", state_version="24.05", not_persisted=excused))
    assert told_of.startswith("nobody can log in")


@pytest.mark.parametrize(
    ("kind", "size", "told"),
    [("esp", "512MiB", 1), ("esp", "1023MiB", 1), ("esp", "1GiB", 0), ("esp", "rest", 0), ("linux", "512MiB", 0)],
)
def test_a_boot_partition_that_fills_up_is_a_warning(kind: str, size: str, told: int) -> None:
    assert len(list(lint.small_esps([SimpleNamespace(type=kind, size=size)]))) == told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), 1),
        (("noatime", "fmask=0077"), 1),
        (("umask=0022",), 1),
        (("umask=0077", "fmask=0133"), 1),
        (("umask=0077",), 0),
        (("fmask=0137", "dmask=0027"), 0),
    ],
)
def test_a_boot_partition_that_all_users_can_read_is_a_warning(options: tuple[str, ...], told: int) -> None:
    esp = FileSystem("/boot", "/dev/vda1", "vfat", options)
    assert len(list(lint.open_esps(Layout((ROOT, esp))))) == told
    assert not list(lint.open_esps(Layout((ROOT, FileSystem("/data", "/dev/vda1", "vfat", options)))))


def test_a_play_gets_warnings_about_its_boot_partition() -> None:
    told = [warning for entry in entries("tmpfs root, small ESP") if entry.task for warning in entry.task.warnings()]
    assert [warning for warning in told if "EFI system partition of 512MiB" in warning]


def test_the_playbook_that_comes_with_it_keeps_all_that_is_needed() -> None:
    for variant in (name for name, (file, given) in VARIANTS.items() if file == NIXOS and "persist" not in given):
        said = [warning for entry in entries(variant) if entry.task for warning in entry.task.warnings()]
        assert [warning for warning in said if "does not survive" in warning and "/home/" not in warning] == [
            warning for warning in said if warning.startswith("/var/guest")
        ]


def test_a_report_has_each_once() -> None:
    play: tuple[Entry, ...] = entries("tmpfs root")
    machine: Machine = blank(entries("tmpfs root"))
    said = [warning for report in imagine(play, machine, Consent()) for warning in report.warnings]
    assert len(said) == len(set(said)) == 1


@pytest.mark.parametrize(("path", "told"), [("/etc/ssh", 1), (None, 0)])
def test_host_keys_that_the_play_makes_are_sshds_and_are_kept(path: str | None, told: int) -> None:
    registry = Registry()

    def task(key: str, values: dict[str, Any]) -> Task:
        plugin = registry.get(key)
        assert plugin
        return build(plugin.task, values, None)

    keys = {"root": "/mnt", "types": ["ed25519"]} | ({"path": path} if path else {})
    play = (
        task("tmpfs-mount", {"path": "/mnt", "size": "1GiB"}),
        task("mount", {"path": "/mnt/nix", "source": "/dev/vda3", "type": "ext4"}),
        task("ssh-host-keys", keys),
        task("nixos-config", {"state_version": "25.11"}),
    )
    config = play[-1].within(play)
    assert len([each for each in config.warnings() if "host keys" in each]) == told
    (said,) = [text for text in config._declaration.texts(config.layout, Releases("25.11", "")) if "hostKeys" in text]  # type: ignore[attr-defined]
    assert f"{path or '/nix/persist/etc/ssh'}/ssh_host_ed25519_key" in said
    assert "rsa" not in said
