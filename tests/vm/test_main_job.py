"""The main job on real disks, judged by testinfra and plain tools and not by our own code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
import testinfra.host

from crash.forked import Ran
from crash.sample import everything
from places import ROOT
from subfloor import rehearse

PLAYBOOK = str(ROOT / "playbooks" / "nixos-tmpfs-root.yml")
GIVEN = ("-e", 'state_version="25.11"', "-e", "boot_loader=systemd-boot")
"""What this machine does not say, which is no installer of NixOS and which no firmware started."""

MIB = 1 << 20

Run = Callable[..., list[Ran]]
Sh = Callable[..., str]
Host: TypeAlias = testinfra.host.Host


@dataclass(frozen=True)
class Variant:
    """One way to do the job: on which disk, with which variables, and what must come of it."""

    disk: str
    partition: str
    sector: int = 512
    swap: bool = True
    persist: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        short = (f"persist={self.persist}", "self_check=none") if self.persist else ()
        more = (*(() if self.swap else ("swap=0",)), *short)
        return (PLAYBOOK, "-e", f"disk={self.disk}", *GIVEN, *(word for each in more for word in ("-e", each)))

    @property
    def nix(self) -> str:
        return f"{self.partition}{3 if self.swap else 2}"

    @property
    def boot(self) -> str:
        return f"{self.partition}1"


SHORT = "[/etc/nixos, /var/log]"
VARIANTS = {"swap": Variant("/dev/vda", "/dev/vda")}
if everything():
    VARIANTS |= {
        "4096-byte-sectors-no-swap": Variant("/dev/vdc", "/dev/vdc", sector=4096, swap=False, persist=SHORT),
        "nvme": Variant("/dev/nvme0n1", "/dev/nvme0n1p", persist=SHORT),
    }


@pytest.fixture(scope="module", params=tuple(VARIANTS.values()), ids=tuple(VARIANTS))
def job(request: pytest.FixtureRequest, subfloor: Run, sh: Sh, blank: Callable[[str], str]) -> Variant:
    """A variant that has been applied to a blank disk, once."""
    variant: Variant = request.param
    blank(variant.disk)
    arguments = [*variant.arguments, "--format", "json"]
    planned, applied = subfloor(["check", *arguments], ["apply", *arguments])
    assert (planned.status, applied.status) == (2, 0), f"{planned}\n{applied}"
    assert applied.report["outcome"] == "applied"
    assert steps(planned) == steps(applied), "check says in the same words what apply then does"
    sh("udevadm settle")
    return variant


on_one_disk = pytest.mark.parametrize("job", [VARIANTS["swap"]], ids=["swap"], indirect=True)
"""For what does not depend on the disk."""


def steps(ran: Ran) -> list[str]:
    return [step["says"] for task in ran.report["tasks"] for step in task["steps"]]


def partitions(sh: Sh, job: Variant) -> dict[str, dict[str, Any]]:
    table = json.loads(sh(f"sfdisk --json {job.disk}"))["partitiontable"]
    assert table["label"] == "gpt"
    return {each["name"]: each for each in table["partitions"]}


def test_partitions_are_where_they_should_be(job: Variant, sh: Sh) -> None:
    found = partitions(sh, job)
    assert list(found) == (["ESP", "swap", "nix"] if job.swap else ["ESP", "nix"])
    starts = {name: each["start"] * job.sector for name, each in found.items()}
    assert starts["ESP"] == 1 * MIB
    assert starts["nix"] == (9217 if job.swap else 1025) * MIB
    assert starts.get("swap", 1025 * MIB) == 1025 * MIB
    if job.sector == 512:
        assert found["ESP"]["start"] == 2048


def test_firmware_recognises_the_esp(job: Variant, sh: Sh) -> None:
    assert partitions(sh, job)["ESP"]["type"] == "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
    listed = sh(f"parted --script --machine {job.disk} print").splitlines()
    esp = next(line for line in listed if ":ESP:" in line)
    assert "boot" in esp and "esp" in esp


def test_every_partition_is_optimally_aligned(job: Variant, sh: Sh) -> None:
    for number in range(1, len(partitions(sh, job)) + 1):
        assert "aligned" in sh(f"parted {job.disk} align-check optimal {number}").split()
    assert "No errors" in sh(f"sfdisk --verify {job.disk} 2>&1")


def test_filesystems_have_their_types_and_labels(job: Variant, sh: Sh) -> None:
    found = json.loads(sh(f"lsblk --json --output PATH,FSTYPE,LABEL,PARTLABEL {job.disk}"))["blockdevices"]
    seen = {each["partlabel"]: (each["fstype"], each["label"]) for each in found if each["partlabel"]}
    wanted = {"ESP": ("vfat", "boot"), "swap": ("swap", "swap"), "nix": ("ext4", "nixos")}
    assert seen == (wanted if job.swap else {name: wanted[name] for name in ("ESP", "nix")})


def test_everything_is_mounted_as_it_should_be(job: Variant, host: Host) -> None:
    root, boot, nix = (host.mount_point(path) for path in ("/mnt", "/mnt/boot", "/mnt/nix"))
    assert (root.filesystem, host.file("/mnt").mode) == ("tmpfs", 0o755)
    assert (boot.filesystem, boot.device) == ("vfat", job.boot)
    assert {"fmask=0077", "dmask=0077"} <= set(boot.options)
    assert (nix.filesystem, nix.device) == ("ext4", job.nix)
    assert "noatime" in nix.options


@pytest.mark.parametrize("path", ["/etc/nixos", "/var/log"])
def test_persisted_paths_are_bound(job: Variant, sh: Sh, host: Host, path: str) -> None:
    line = sh(f"findmnt --noheadings --output SOURCE,FSROOT,FSTYPE --mountpoint /mnt{path}").split()
    assert line == [f"{job.nix}[/persist{path}]", f"/persist{path}", "ext4"]
    assert host.file(f"/mnt/nix/persist{path}").is_directory


def test_swap_is_active_where_it_is_wanted(job: Variant, host: Host) -> None:
    active = host.file("/proc/swaps").content_string
    assert (f"{job.partition}2 " in active) == job.swap


def test_the_configuration_parses_and_names_every_mount(job: Variant, sh: Sh) -> None:
    for name in ("configuration.nix", "filesystems.nix", "hardware-configuration.nix"):
        sh(f"nix-instantiate --parse /mnt/etc/nixos/{name} >/dev/null")
    written = sh("cat /mnt/etc/nixos/filesystems.nix")
    for path in ("/", "/boot", "/nix", "/etc/nixos", "/var/log"):
        assert f'"{path}"' in written


def test_a_second_run_changes_nothing_and_writes_nothing(job: Variant, subfloor: Run, sh: Sh) -> None:
    """The mounted filesystems write when they please: what is around them is compared, byte by byte.

    That ten runs leave as many mounts as one is shown where a run takes less time: `disks/test_bind_persist.py`.
    """
    swap = f"head -c 1M {job.partition}2;" if job.swap else ""
    around = f"(head -c 1M {job.disk}; tail -c 1M {job.disk}; {swap}) | sha256sum; cat /proc/self/mountinfo"
    before = sh(around)
    arguments = [*job.arguments, "--format", "json"]
    for done in subfloor(["apply", *arguments], ["check", *arguments]):
        assert (done.status, done.report["outcome"], steps(done)) == (0, "in-sync", [])
    assert sh(around) == before


@on_one_disk
def test_a_rerun_starts_no_program_that_writes(job: Variant, guest: rehearse.Machine, sh: Sh) -> None:
    trace = ["strace", "-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", "/tmp/trace"]
    done = guest.run([*trace, sys.executable, "-m", "subfloor", "apply", *job.arguments], timeout=300.0)
    assert done.returncode == 0
    started = sh("grep -o 'execve(\"[^\"]*\".* = 0$' /tmp/trace | cut -d'\"' -f2 | xargs -n1 basename | sort -u")
    readers = {
        "blkid",
        "blockdev",
        "cat",
        "cmp",
        "cut",
        "dd",
        "find",
        "findfs",
        "getconf",
        "grep",
        "head",
        "id",
        "od",
        "partx",
    }
    readers |= {"partx", "readlink", "sed", "sh", "sort", "stat", "tail", "tr", "wipefs"}
    assert {name for name in started.split() if not name.startswith("python")} <= readers
    assert sh("grep 'execve.*wipefs.*= 0' /tmp/trace | grep -v -e --no-act || true") == ""
    assert sh("grep 'execve.*partx.*= 0' /tmp/trace | grep -e --update -e --delete -e --add || true") == ""


def test_the_filesystems_are_sound(job: Variant, sh: Sh, subfloor: Run) -> None:
    """Last of all, since it takes the mounts down: what is checked must not be in use."""
    sh("umount -R /mnt; swapoff -a; sync")
    sh(f"e2fsck -f -n {job.nix}")
    sh(f"fsck.fat -n {job.boot}")
    written = f"awk '{{ print $7 }}' /sys/block/{job.disk.removeprefix('/dev/')}/stat"
    before = sh(written)
    arguments = [*job.arguments, "--format", "json"]
    (checked,) = subfloor(["check", *arguments])
    assert checked.report["outcome"] == "drift", "what a reboot takes away is to be mounted again"
    assert not any("Make" in says for says in steps(checked)), "and nothing is to be made anew"
    assert sh(f"sync; {written}") == before, "a check writes nothing, mounted or not"
