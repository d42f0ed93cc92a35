"""What services keep, and a root that is empty after every boot loses: those that local.nix switches on."""

from __future__ import annotations

from typing import Any

import pytest

import step_values
from subfloor.core.parameters import build
from subfloor.core.task import Task
from subfloor.nixos.services import LECTURED, SERVICES, switched_on
from subfloor.nixos.users import User
from subfloor.playbook.registry import Registry

REGISTRY = Registry()


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("services.fprintd.enable = true;", ["fprint"]),
        ("services = {\n  fprintd = { enable = true; };\n};", ["fprint"]),
        ("virtualisation = { libvirtd.enable = true; docker.enable = true; };", ["libvirt", "docker"]),
        ('services.nginx.virtualHosts."a.example" = { enableACME = true; };', ["acme"]),
        ("virtualisation.podman = { enable = true; };", ["containers"]),
        ("virtualisation.oci-containers.containers.web = { };", ["containers"]),
        ("containers.web = { };", ["nixos-containers"]),
        ("virtualisation.containers.enable = true;", []),
        ("services.printing.enable = true;", ["cups"]),
        ("services.printing.enable = false;", []),
        ("services.printing.enable = lib.mkForce false;", []),
        ("# services.printing.enable = true;\n/* services.fprintd.enable = true; */", []),
        ("environment.systemPackages = [ pkgs.docker-compose pkgs.podman ];", []),
        ("users.users.ada.extraGroups = [ ]; networking.firewall.enable = true;", []),
        ("", []),
    ],
)
def test_enabled_services_are_found(text: str, paths: list[str]) -> None:
    assert [each.path.rpartition("/")[2] for each in switched_on(f"{{ pkgs, ... }}:\n{{ {text} }}\n", ())] == paths


@pytest.mark.parametrize(
    ("groups", "paths"),
    [
        (("libvirtd", "networkmanager"), ["/var/lib/libvirt"]),
        (("docker",), ["/var/lib/docker"]),
        (("wheel",), [LECTURED]),
        ((), []),
    ],
)
def test_who_is_in_a_services_group_uses_it(groups: tuple[str, ...], paths: list[str]) -> None:
    assert [each.path for each in switched_on("", [User(groups=groups)])] == paths


def test_the_lecture_may_be_switched_off() -> None:
    text = 'security.sudo.extraConfig = "Defaults lecture = never";'
    assert not list(switched_on(text, [User(groups=("wheel",))]))


def test_a_path_is_named_once() -> None:
    assert len({each.path for each in SERVICES}) == len(SERVICES)


def told(root: str = "tmpfs", **values: Any) -> list[str]:
    def task(key: str, **given: Any) -> Task:
        plugin = REGISTRY.get(key)
        assert plugin
        return build(plugin.task, given, None)

    play = [
        task("tmpfs-mount", path="/mnt", size="1GiB")
        if root == "tmpfs"
        else task("mount", path="/mnt", source="LABEL=root", type="ext4"),
        task("bind-persist", root="/mnt", path="/var/lib/libvirt"),
        task("nixos-config", state_version="25.11", **values),
    ]
    config = play[-1].within(tuple(play))
    text = "{ services.fprintd.enable = true; virtualisation.libvirtd.enable = true; services.iwd.enable = true; }"
    machine = step_values.machine({"text /mnt/etc/nixos/local.nix": text}, config.subjects())
    return [warning.split()[0] for warning in config.warnings_on(machine)]


def test_a_play_gets_warnings_about_state_that_it_does_not_keep() -> None:
    assert told() == ["/var/lib/fprint", "/var/lib/iwd"]
    assert told(not_persisted={"/var/lib/iwd": "one network"}) == ["/var/lib/fprint"]
    assert told(root="ext4") == []
