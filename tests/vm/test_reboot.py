"""The proof that counts: what was persisted, and nothing else, is there after a reboot and after a power cut.

The playbook is applied in the virtual machine, up to a stand-in for nixos-install, and that very disk is
then started by UEFI firmware from its own boot partition. Its initrd mounts what Nix makes of the generated
configuration, in NixOS's order, and nothing else (`nixos_boot`). A boot takes its time under emulation,
so there are three, and all that is to be seen of them is gathered first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from subfloor import vm
from vm import nixos_boot
from vm.conftest import Ran

ROOT = Path(__file__).parent.parent.parent
PLAYBOOK = str(ROOT / "playbooks" / "nixos-tmpfs-root.yml")
STAND_IN = ROOT / "tests" / "nixos_install_stand_in"
DISK = "/dev/vdf"
ARGUMENTS = (PLAYBOOK, "-e", "esp_size=96MiB", "-e", "swap=64MiB", "-e", "install=true")

KEPT = ("/boot", "/nix", "/nix/persist", "/etc/nixos", "/var/log")
LOST = ("/", "/etc", "/home", "/root", "/srv", "/tmp", "/var", "/var/lib", "/etc/nixos/../other")

MARK = """
name=$1; shift
for d in "$@"; do mkdir -p "$d" && echo "$name" >"$d/mark-$name" || exit 1; done
"""
FIND = """
name=$1; shift
for d in "$@"; do [ ! -s "$d/mark-$name" ] || printf '%s\\n' "$d"; done
"""
MOUNTED = "findmnt --list --noheadings --output TARGET | grep -vE '^/(dev|proc|sys|run)(/|$)' | sort"
WRITTEN = "sync; awk '{ print $7 }' /sys/block/vda/stat"
STORE = """
cd /nix
{ find store var -type f -exec sha256sum {} +; find store var -type l -printf '%p %l\\n'; } | sort | sha256sum
"""


@dataclass(frozen=True)
class Started:
    """What was seen in a machine that started from its disk: which marks were there, before any were made."""

    marks: dict[str, set[str]]
    mounted: tuple[str, ...]
    store: str
    checked: int
    report: str
    written: int


@dataclass(frozen=True)
class Installed:
    """A disk on which the playbook was applied, and how a NixOS with its configuration boots."""

    image: Path
    boot: nixos_boot.Boot
    store: str


@pytest.fixture(scope="module")
def installed(
    guest: vm.Machine,
    subfloor: Callable[..., list[Ran]],
    sh: Callable[..., str],
    blank: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Installed:
    work = tmp_path_factory.mktemp("installed")
    arguments = (*ARGUMENTS, "-e", f"disk={blank(DISK)}")
    (laid,) = subfloor(["apply", *arguments, "-e", "install=false"])
    assert laid.status == 0, laid.stderr
    module = nixos_boot.evaluated(sh("cat /mnt/etc/nixos/filesystems.nix"), work)
    boot, kernel = nixos_boot.booting(module), vm.find_kernel()
    (work / "initrd").write_bytes(nixos_boot.stage1(kernel, boot))
    (work / "init").write_bytes(nixos_boot.stage2(boot, sys.executable))
    done = guest.run(
        [sys.executable, "-m", "subfloor", "apply", *arguments],
        timeout=300.0,
        env={
            "PATH": f"{STAND_IN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "STAND_IN_KERNEL": str(kernel.image),
            "STAND_IN_INITRD": str(work / "initrd"),
            "STAND_IN_INIT": str(work / "init"),
            "STAND_IN_LOADER": "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
            "STAND_IN_OPTIONS": nixos_boot.OPTIONS,
        },
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    # As it is: whoever is told that it is applied may pull the plug.
    image = work / "disk.raw"
    subprocess.run(["cp", "--sparse=always", guest.images[DISK], image], check=True)
    store = sh(STORE.replace("cd /nix", "cd /mnt/nix"))
    sh("umount -R /mnt; swapoff -a")
    return Installed(image, boot, store)


class Boots:
    """Starts the disk, looks, leaves marks, and ends the machine in some way."""

    def __init__(self, installed: Installed, work: Path) -> None:
        self._image, self._work = installed.image, work
        self.names: list[str] = []

    def start(self, name: str, end: Callable[[vm.Machine], None]) -> Started:
        disks = [vm.Disk(image=self._image)]
        shares = {"root": Path("/")}
        with vm.boot_from_disk(disks, workdir=self._work, memory_mib=768, cpus=1, shares=shares) as machine:
            machine.wait_for_agent(vm.BOOT_DEADLINE)
            seen = self._look(machine)
            self._say(machine, MARK, name, *KEPT, *LOST)
            self._say(machine, "sync")
            self.names.append(name)
            end(machine)
            return seen

    def _look(self, machine: vm.Machine) -> Started:
        marks = {name: set(self._say(machine, FIND, name, *KEPT, *LOST).split()) for name in self.names}
        mounted = tuple(self._say(machine, MOUNTED).split())
        store = self._say(machine, STORE)
        before = int(self._say(machine, WRITTEN))
        check = [sys.executable, "-m", "subfloor", "check", *ARGUMENTS, "-e", "disk=/dev/vda", "-e", "root=/"]
        checked = machine.run([*check, "--format", "json"], timeout=300.0)
        written = int(self._say(machine, WRITTEN)) - before
        report = checked.stdout.decode() + checked.stderr.decode()
        return Started(marks, mounted, store, checked.returncode, report, written)

    @staticmethod
    def _say(machine: vm.Machine, script: str, *arguments: str) -> str:
        done = machine.run(["/bin/sh", "-c", script, "sh", *arguments], timeout=120.0)
        assert done.returncode == 0, f"{script}\n{done.stderr.decode()}\n{machine.console_tail()}"
        return done.stdout.decode()


def shut_down(machine: vm.Machine) -> None:
    machine.power_off(60.0)
    assert "could not" not in machine.console_tail()


@pytest.fixture(scope="module")
def boots(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> list[Started]:
    """After the installation, after a reboot, and after a power cut."""
    run = Boots(installed, tmp_path_factory.mktemp("boots"))
    return [
        run.start("first", shut_down),
        run.start("second", lambda machine: machine.cut_power()),
        run.start("third", lambda machine: machine.cut_power()),
    ]


def test_what_is_persisted_outlives_a_reboot_and_nothing_else_does(boots: list[Started]) -> None:
    assert boots[1].marks == {"first": set(KEPT)}


def test_what_is_persisted_and_flushed_outlives_a_power_cut_and_nothing_else_does(boots: list[Started]) -> None:
    assert boots[2].marks == {"first": set(KEPT), "second": set(KEPT)}


def test_what_is_mounted_is_what_the_configuration_says(boots: list[Started], installed: Installed) -> None:
    wanted = sorted(mount.path for mount in (*installed.boot.stage1, *installed.boot.stage2))
    assert [list(each.mounted) for each in boots] == [wanted] * 3


def test_the_store_is_as_it_was_installed(boots: list[Started], installed: Installed) -> None:
    assert {each.store for each in boots} == {installed.store}


def test_the_running_system_is_in_sync_and_a_check_of_it_writes_nothing(boots: list[Started]) -> None:
    for each in boots:
        assert each.checked == 0, each.report
        assert json.loads(each.report)["hosts"]["localhost"]["outcome"] == "in-sync"
        assert each.written == 0
