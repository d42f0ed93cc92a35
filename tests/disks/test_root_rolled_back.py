"""The service that rolls a btrfs root back, run on a real btrfs, and broken off after each of its commands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from disks.mount_namespace import MountNamespace, namespace
from loop_disks import attach, run, take_away
from subfloor.core.contributions import Rollback
from subfloor.nixos import rollback

pytestmark = pytest.mark.root

__all__ = ["namespace"]  # fixtures

LAID_OUT = """
for each in @root @root-blank @nix "other space"; do btrfs subvolume create "top/$each"; done
btrfs property set top/@root-blank ro true
echo kept > top/@nix/file; echo kept > "top/other space/file"
"""

FILLED = """
echo "$1" > top/@root/file
mkdir -p top/@root/var/lib; touch top/@root/immutable; chattr +i top/@root/immutable
btrfs subvolume create "top/@root/var/lib/machines of mine"
btrfs subvolume create "top/@root/var/lib/machines of mine/@nix"
btrfs subvolume snapshot -r top/@nix top/@root/var/lib/snapshot
"""


@pytest.fixture
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    made = attach(tmp_path_factory.mktemp("disk") / "btrfs", "256M")
    try:
        run("mkfs.btrfs", "-q", made.node)
        yield made.node
    finally:
        take_away(made)


class Machine:
    """A btrfs that is booted from, again and again."""

    def __init__(self, namespace: MountNamespace, device: str, keep: int = 1) -> None:
        self._ground, self._device = namespace, device
        self._rollback = Rollback(device, "@root", "@root-blank", keep)
        namespace.sh(f"mkdir -p top; mount -o subvol=/ {device} top; {LAID_OUT}")

    def sh(self, script: str) -> str:
        return self._ground.sh(script)

    def fill(self, mark: str) -> None:
        self._ground.sh(f"set -- {mark}\n{FILLED}")

    def boot(self, most: int = 0) -> int:
        """Run the service, as systemd runs it, but for no more than so many commands; its exit status."""
        cut = f"set -T; n={most}; trap '[ $((n -= 1)) -ge 0 ] || exit 99' DEBUG\n" if most else ""
        # What ends it is no command of its own, and unmounts: a power cut would do that as well.
        script = rollback.script(self._rollback, self._device)
        (self._ground.path / "script").write_text(f"set -e\n{cut}{script}")
        done = self._ground.shell.run(("bash", str(self._ground.path / "script")))
        self._ground.sh("umount /run/rollback-root || true")
        return done.status

    @property
    def root(self) -> str:
        """What is in the root."""
        return self.sh("ls -A top/@root")

    def check_the_others(self) -> None:
        assert self.sh("cat top/@nix/file 'top/other space/file'; ls -A top/@root-blank") == "kept\nkept"


def test_every_boot_has_a_blank_root(device: str, namespace: MountNamespace) -> None:
    machine = Machine(namespace, device)
    machine.fill("first")
    assert machine.boot() == 0
    assert machine.root == "" and machine.sh("cat top/@root.former-1/file") == "first"
    assert machine.sh("btrfs property get top/@root ro") == "ro=false"
    machine.fill("second")
    assert machine.boot() == 0
    assert machine.root == "" and machine.sh("cat top/@root.former-1/file") == "second"
    assert machine.sh("ls -A top") == "@nix\n@root\n@root-blank\n@root.former-1\nother space"
    machine.check_the_others()


@pytest.mark.parametrize("keep", [0, 3])
def test_the_declared_number_of_former_roots_is_kept(device: str, namespace: MountNamespace, keep: int) -> None:
    machine = Machine(namespace, device, keep)
    for boot in range(5):
        machine.fill(f"{boot}")
        assert machine.boot() == 0
    kept = [machine.sh(f"cat top/@root.former-{number}/file") for number in range(1, keep + 1)]
    assert kept == ["4", "3", "2"][:keep]
    assert machine.sh("ls -A top | grep -c @") == f"{3 + keep}"
    machine.check_the_others()


def test_without_the_blank_subvolume_the_root_is_kept(device: str, namespace: MountNamespace) -> None:
    machine = Machine(namespace, device)
    machine.fill("only")
    machine.sh("btrfs subvolume delete top/@root-blank")
    assert machine.boot() == 1
    assert machine.sh("cat top/@root/file; ls top") == "only\n@nix\n@root\nother space"


def test_no_name_makes_it_remove_a_subvolume_outside_the_root(device: str, namespace: MountNamespace) -> None:
    """A name may hold a newline, so that the list of subvolumes seems to have a line more."""
    machine = Machine(namespace, device, keep=0)
    machine.fill("x")
    for name in ("x\nID 9 gen 9 top level 5 path @nix", "y\nID 9 gen 9 top level 5 path @root.former-1"):
        namespace.shell.run(("btrfs", "subvolume", "create", f"{namespace.path}/top/@root/{name}"))
    namespace.sh("mkdir -p 'top/@root/z\nID 9 gen 9 top level 5 path @root.former-1'")
    machine.boot()
    machine.boot()
    machine.check_the_others()
    assert machine.root == ""


def test_a_boot_resumes_after_any_power_cut(device: str, namespace: MountNamespace) -> None:
    """Nothing that lasts is lost, and the next boot has a blank root; the former one is there until that."""
    machine = Machine(namespace, device)
    commands = 0
    while True:
        commands += 1
        machine.fill("now")
        ended = machine.boot(most=commands)
        machine.check_the_others()
        held = machine.sh("cat top/@root/file top/@root.former-*/file 2>/dev/null || true").split()
        assert "now" in held, f"after {commands} commands the last root is gone"
        if ended == 0:
            break
        assert machine.boot() == 0, commands
        assert machine.root == "", commands
        left = set(machine.sh("ls -A top").split("\n"))
        assert left <= {"@nix", "@root", "@root-blank", "@root.former-1", "other space"}, commands
        machine.check_the_others()
        assert commands < 500
    assert commands > 20
