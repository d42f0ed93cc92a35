"""The proof that counts: what was persisted, and nothing else, is there after a reboot and after a power cut.

The playbook is applied in the virtual machine, up to a stand-in for nixos-install, and that very disk is
then started by UEFI firmware from its own boot partition. Its initrd mounts what Nix makes of the generated
configuration, in NixOS's order, and nothing else (`nixos_boot`). A boot takes its time under emulation,
so there are three, and all that is to be seen of them is gathered first.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import nixos_boot
from places import DATA, ROOT
from subfloor import rehearse

PLAYBOOK = str(ROOT / "playbooks" / "nixos-tmpfs-root.yml")
STAND_IN = DATA / "nixos_install_stand_in"
DISK = "/dev/vdf"
PERSISTED = [
    each
    for each in yaml.safe_load(Path(PLAYBOOK).read_text())[0]["vars"]["persist"]
    if each != {"path": "/root", "mode": "0700"}  # the Python that the guest runs may lie there
]
ARGUMENTS = (
    *(
        PLAYBOOK,
        "-e",
        "esp_size=96MiB",
        "-e",
        "swap=64MiB",
        "-e",
        "install=true",
        "-e",
        "no_login=a test",
        "-e",
        "self_check=none",
    ),
    *("-e", f"persist={json.dumps(PERSISTED)}", "-e", 'state_version="25.11"', "-e", "boot_loader=systemd-boot"),
)

KEPT = (
    *("/boot", "/nix", "/nix/persist"),
    *("/etc/nixos", "/etc/NetworkManager/system-connections", "/var/lib/bluetooth", "/var/lib/nixos"),
    *("/var/lib/NetworkManager", "/var/lib/dhcpcd", "/var/lib/private", "/var/lib/systemd", "/var/log"),
)
LOST = ("/", "/etc", "/home", "/root", "/srv", "/tmp", "/var", "/var/lib", "/etc/NetworkManager", "/var/lib/other")

MARK = """
name=$1; shift
for d in "$@"; do mkdir -p "$d" && echo "$name" >"$d/mark-$name" || exit 1; done
"""
FIND = """
name=$1; shift
for d in "$@"; do [ ! -s "$d/mark-$name" ] || printf '%s\\n' "$d"; done
"""
APPEND = 'for f in /mnt/boot/EFI/nixos/*-initrd.efi; do cat "$1" >>"$f"; done; sync --file-system /mnt/boot'
MOUNTED = "findmnt --list --noheadings --output TARGET | grep -vE '^/(dev|proc|sys|run)(/|$)' | sort"
# Of the disk, and of the boot partition: there the kernel writes a time of access, which is a day, at each reading.
WRITTEN = "sync; for s in vda vda/vda1; do tr -s ' ' </sys/block/$s/stat | cut -d ' ' -f 8; done"
BOOT_PARTITION = "sync; sha256sum </dev/vda1"
STORE = """
cd /nix
{ find store var -type f -exec sha256sum {} +; find store var -type l -printf '%p %l\\n'; } | sort | sha256sum
"""


@dataclass(frozen=True)
class Started:
    """What was seen in a machine that started from its disk, before anything was changed in it.

    ``marks``: where those were that were left in each start before it.
    """

    marks: dict[str, set[str]]
    mounted: tuple[str, ...]
    store: str


@dataclass(frozen=True)
class Checked:
    """A check in a running machine: its exit status, its report, and what was written to the disk meanwhile.

    ``written``: how many sectors outside of the boot partition; ``boot``: what that comes to before and afterwards.
    """

    status: int
    report: str
    written: int
    boot: tuple[str, str]


@dataclass(frozen=True)
class Installed:
    """A disk on which the playbook was applied, and how a NixOS with its configuration boots."""

    image: Path
    boot: nixos_boot.Boot
    store: str


@pytest.fixture(scope="module")
def installed(
    guest: rehearse.Machine,
    sh: Callable[..., str],
    blank: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Installed:
    work = tmp_path_factory.mktemp("installed")
    kernel = rehearse.find_kernel()
    (work / "initrd").write_bytes(nixos_boot.stage1(kernel))
    (work / "init").write_bytes(nixos_boot.stage2(ROOT))
    done = guest.run(
        [sys.executable, "-m", "subfloor", "apply", *ARGUMENTS, "-e", f"disk={blank(DISK)}"],
        timeout=600.0,
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
    module = nixos_boot.evaluated(sh("cat /mnt/etc/nixos/filesystems.nix"), work)
    boot = nixos_boot.booting(module)
    # The initrd's own part of the configuration, where NixOS appends its secrets.
    (work / "mounts").write_bytes(nixos_boot.mounts(boot))
    sh(APPEND, str(work / "mounts"))
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
        self._names: list[str] = []

    @contextlib.contextmanager
    def started(self) -> Iterator[rehearse.Machine]:
        disks, shares = [rehearse.Disk(image=self._image)], {"root": Path("/")}
        with rehearse.boot_from_disk(disks, workdir=self._work, memory_mib=768, cpus=1, shares=shares) as machine:
            machine.wait_for_agent(rehearse.BOOT_DEADLINE)
            yield machine

    def look(self, machine: rehearse.Machine) -> Started:
        marks = {name: set(self._say(machine, FIND, name, *KEPT, *LOST).split()) for name in self._names}
        return Started(marks, tuple(self._say(machine, MOUNTED).split()), self._say(machine, STORE))

    def mark(self, machine: rehearse.Machine, name: str) -> None:
        self._say(machine, MARK, name, *KEPT, *LOST)
        self._say(machine, "sync")
        self._names.append(name)

    def check(self, machine: rehearse.Machine) -> Checked:
        # A file there would be another configuration; and who reads a file first moves its time of access.
        self._say(machine, "rm -f /etc/nixos/mark-*; find /boot -type f -exec cat {} + >/dev/null")
        before, boot = self._written(machine), self._say(machine, BOOT_PARTITION)
        check = [sys.executable, "-m", "subfloor", "check", *ARGUMENTS, "-e", "disk=/dev/vda", "-e", "root=/"]
        done = machine.run([*check, "--format", "json"], timeout=600.0)
        report = done.stdout.decode() + done.stderr.decode()
        written = self._written(machine) - before
        return Checked(done.returncode, report, written, (boot, self._say(machine, BOOT_PARTITION)))

    def _written(self, machine: rehearse.Machine) -> int:
        disk, boot = map(int, self._say(machine, WRITTEN).split())
        return disk - boot

    @staticmethod
    def _say(machine: rehearse.Machine, script: str, *arguments: str) -> str:
        done = machine.run(["/bin/sh", "-c", script, "sh", *arguments], timeout=120.0)
        assert done.returncode == 0, f"{script}\n{done.stderr.decode()}\n{machine.console_tail()}"
        return done.stdout.decode()


@dataclass(frozen=True)
class Story:
    """The starts after the installation, after a reboot and after a power cut, and a check at the end of it."""

    starts: tuple[Started, Started, Started]
    checked: Checked


@pytest.fixture(scope="module")
def story(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Story:
    boots = Boots(installed, tmp_path_factory.mktemp("boots"))
    with boots.started() as machine:
        first = boots.look(machine)
        boots.mark(machine, "first")
        machine.power_off(60.0)
        assert "could not" not in machine.console_tail()
    with boots.started() as machine:
        second = boots.look(machine)
        boots.mark(machine, "second")
        machine.cut_power()
    with boots.started() as machine:
        third = boots.look(machine)
        return Story((first, second, third), boots.check(machine))


def test_exactly_the_persisted_paths_survive_a_reboot(story: Story) -> None:
    assert story.starts[1].marks == {"first": set(KEPT)}


def test_exactly_the_flushed_persisted_paths_survive_a_power_cut(story: Story) -> None:
    assert story.starts[2].marks == {"first": set(KEPT), "second": set(KEPT)}


def test_the_mounts_are_those_of_the_configuration(story: Story, installed: Installed) -> None:
    wanted = sorted(mount.path for mount in (*installed.boot.stage1, *installed.boot.stage2))
    assert [list(each.mounted) for each in story.starts] == [wanted] * 3


def test_the_store_is_unchanged_since_the_installation(story: Story, installed: Installed) -> None:
    assert {each.store for each in story.starts} == {installed.store}


def test_the_running_system_is_in_sync_and_a_check_of_it_writes_nothing(story: Story) -> None:
    assert story.checked.status == 0, story.checked.report
    assert json.loads(story.checked.report)["hosts"]["localhost"]["outcome"] == "in-sync"
    assert story.checked.written == 0
    assert story.checked.boot[0] == story.checked.boot[1]
