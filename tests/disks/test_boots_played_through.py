"""Without any part of the generated configuration that a boot needs, what should be kept is lost, and that is seen.

A boot is played through: what stage 1 and stage 2 mount is mounted under a directory, in NixOS's order
(`nixos_boot`), from what Nix makes of the configuration. Files are written everywhere; all is unmounted, as a
reboot would; and it is booted again. The persistent store has a partition of its own, so that mounting it too
late shows. (`tests/vm/test_reboot.py` starts a whole machine.)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import nixos_boot
from disks.mount_namespace import ALONE, MountNamespace
from loop_disks import LoopDisk, attach, said, take_away
from subfloor.act.host import Host

pytestmark = pytest.mark.root

BINDS = ("/etc/nixos", "/home", "/var/lib", "/var/log")
KEPT = {*BINDS, "/nix", "/keep"}
LOST = {"/", "/etc", "/var", "/root", "/var/cache"}

# Twice: mount all, look which marks are there, leave marks, unmount all. What is said is of the second time.
TWO_BOOTS = """
fail() { echo "could not $1" >&2; exit 1; }
lists=$1; shift
for time in first second; do
    eval "$lists"
    for d in "$@"; do
        [ $time = first ] || [ ! -e "$t$d/mark" ] || printf '%s\\n' "$d"
        mkdir -p "$t$d"; echo >"$t$d/mark"
    done
    umount -R "$t"
done
"""

Module = dict[str, Any]
Survive = Callable[[Module], set[str]]


def play(disk: LoopDisk, root: str) -> Iterator[dict[str, dict[str, Any]]]:
    yield {"gpt-label": {"device": disk.node}}
    for number, (name, size) in enumerate((("nix", "64MiB"), ("keep", "rest")), start=1):
        node = {"device": disk.partition(number)}
        layout = {"device": disk.node, "number": number, "name": name, "type": "linux", "size": size}
        yield {"aligned-partition": layout}
        yield {"mkfs": {**node, "type": "ext4", "label": name}}
    yield {"tmpfs-mount": {"path": root, "size": "64MiB"}}
    for number, name in enumerate(("nix", "keep"), start=1):
        mount = {"source": disk.partition(number), "path": f"{root}/{name}", "type": "ext4", "needed_for_boot": True}
        yield {"mount": mount}
    for path in BINDS:
        yield {"bind-persist": {"root": root, "store": "/keep", "path": path}}
    yield {"nixos-config": {"root": root, "state_version": "24.05", "hardware": "plain", "boot_loader": "none"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MountNamespace, LoopDisk, Module]]:
    """The playbook applied to a disk, taken down again, and what Nix makes of the configuration that it wrote."""
    work = tmp_path_factory.mktemp("boot")
    disk = attach(work / "disk.img", "192M")
    try:
        with Host("here", ALONE).shell() as shell:
            namespace = MountNamespace(shell, work)
            assert namespace.apply(*play(disk, f"{work}/root"))
            module = nixos_boot.evaluated(namespace.sh("cat root/etc/nixos/filesystems.nix"), work)
            namespace.sh("umount -R root")
            yield namespace, disk, module
    finally:
        take_away(disk)
        disk.image.unlink()


@pytest.fixture
def module(made: tuple[MountNamespace, LoopDisk, Module]) -> Module:
    return copy.deepcopy(made[2])


@pytest.fixture(params=["systemd", "scripted"])
def survive(made: tuple[MountNamespace, LoopDisk, Module], request: pytest.FixtureRequest) -> Survive:
    """Which files are there after a reboot, with this configuration and either initrd."""
    namespace, disk, _ = made

    def booted_twice(module: Module) -> set[str]:
        boot = nixos_boot.booting(module, request.param)
        lists = nixos_boot.MOUNT + nixos_boot.mounting((*boot.stage1, *boot.stage2))
        for number in (1, 2):  # no udev here, so no links
            label = said("blkid", "-p", "-s", "LABEL", "-o", "value", disk.partition(number))
            lists = lists.replace(f"/dev/disk/by-label/{label} ", f"{disk.partition(number)} ")
        done = namespace.shell.run(
            ("sh", "-euc", f"t={namespace.path}/root\n{TWO_BOOTS}", "sh", lists, *sorted(KEPT | LOST))
        )
        assert done.status == 0, done.stderr.decode()
        namespace.sh(f"for n in 1 2; do mount {disk.node}p$n root; find root -name mark -delete; umount root; done")
        return set(done.stdout.decode().split())

    return booted_twice


def test_the_generated_configuration_keeps_exactly_the_persisted_paths(module: Module, survive: Survive) -> None:
    assert survive(module) == KEPT


def test_a_path_without_needed_for_boot_is_lost(module: Module, survive: Survive) -> None:
    """What NixOS itself binds in stage 1 comes from a store that is not mounted before stage 2."""
    assert module["fileSystems"]["/keep"].pop("neededForBoot")
    assert KEPT - survive(module) == {"/var/lib", "/var/log"}


@pytest.mark.parametrize("path", [*BINDS, "/keep"])
def test_a_path_whose_mount_is_left_out_is_lost(module: Module, survive: Survive, path: str) -> None:
    del module["fileSystems"][path]
    assert KEPT - survive(module) == ({path} if path in BINDS else {*BINDS, "/keep"})
