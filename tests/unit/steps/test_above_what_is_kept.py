"""Directories above what is kept, on the installed system; and files that cannot be bound for long."""

from __future__ import annotations

import pytest

from subfloor.core.contributions import Persisted
from subfloor.core.parameters import build
from subfloor.nixos import filesystems
from subfloor.nixos.layout import Layout
from subfloor.playbook.registry import Registry

HOMES = {"root": "/root", "ada": "/home/ada", "bo": "/srv/bo b"}


def text(*paths: str) -> str:
    kept = tuple(Persisted(path, "/nix/persist") for path in paths)
    return filesystems.module(Layout(persisted=kept), "binds", HOMES, {})


def test_in_a_home_they_are_its_users() -> None:
    found = text("/home/ada/.local/share/x", "/home/ada/.local/y", "/srv/bo b/c/d", "/home/ada/z", "/root/a/b")
    installed = [line.strip() for line in found.replace("\\n", "\n").splitlines() if "install -d" in line]
    assert installed == [
        "install -d -o ada -g users -m 0755 -- /home/ada/.local",
        "install -d -o ada -g users -m 0755 -- /home/ada/.local/share",
        "install -d -o bo -g users -m 0755 -- '/srv/bo b/c'",
    ]


@pytest.mark.parametrize("path", ["/home/ada", "/home/ada/x", "/home/adam/x/y", "/var/log", "/var/lib/private"])
def test_others_are_left_to_the_mounts(path: str) -> None:
    assert "install -d" not in text(path)
    assert "tmpfiles" not in text(path)


def test_private_is_closed() -> None:
    assert "d /var/lib/private 0700 root root -" in text("/var/lib/private/app")


@pytest.mark.parametrize(
    ("path", "kind", "told"),
    [
        *((f"/etc/{name}", "file", True) for name in ("shadow", "passwd", "group", "gshadow", "subuid", "subgid")),
        ("/etc/resolv.conf", "file", True),
        ("/etc/machine-id", "file", False),
        ("/etc/passwd.d", "file", False),
        ("/etc/passwd", "directory", False),
    ],
)
def test_a_bound_file_that_programs_replace_is_a_warning(path: str, kind: str, told: bool) -> None:
    plugin = Registry().get("bind-persist")
    assert plugin
    (*found,) = build(plugin.task, {"path": path, "kind": kind}, None).warnings()
    assert bool(found) is told
    assert all(path in each for each in found)
