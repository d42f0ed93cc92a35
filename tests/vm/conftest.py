"""One guest for all the tests here, and ways to look into it.

A boot takes seconds and a test some tenths of one, so all share a guest; each takes a blank disk.
`guest` runs commands; `host` is testinfra's independent eye on the same machine.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import testinfra.host
from testinfra.backend.base import BaseBackend, CommandResult

from crash.forked import Ran
from places import TESTS
from subfloor import rehearse

GIB = 1 << 30

Forkserver = Callable[..., list[dict[str, Any]]]

DISKS = (
    rehearse.Disk(30 * GIB),  # /dev/vda
    rehearse.Disk(30 * GIB),  # /dev/vdb
    rehearse.Disk(30 * GIB, sector=4096),  # /dev/vdc
    rehearse.Disk(30 * GIB, "nvme"),  # /dev/nvme0n1
    rehearse.Disk(4 * GIB),  # /dev/vdd
    rehearse.Disk(2 * GIB, physical_sector=4096, minimum_io=64 << 10, optimal_io=256 << 10),  # /dev/vde: like a RAID
    rehearse.Disk(1 * GIB, serial="SMALL-1"),  # /dev/vdf
    rehearse.Disk(64 << 20),  # /dev/vdg
)

# Starts the process that `forkserver` asks.
SERVE = """
mkfifo /run/asked /run/answer
PYTHONPATH=$1:$1/support setsid "$2" "$1/vm/forkserver.py" /run/asked /run/answer </dev/null >/run/forkserver 2>&1 &
"""

# Unmounts what is mounted from the disk $1 or under /mnt or /srv, whatever lies on what, and uses no swap.
UNMOUNT = """
swapoff -a
while read -r _ _ dev _ point _; do
  case $point in /mnt|/mnt/*|/srv/*) printf '%s\\n' "$point" ;; *) ;; esac
done </proc/self/mountinfo | tac | while read -r point; do umount -l "$point"; done
lsblk -nrpo MOUNTPOINTS "$1" | tac | while read -r point; do [ -z "$point" ] || umount -l "$point"; done
"""

# Unmounts the disk, takes apart what lies on others, and empties the disk.
BLANK = f"""{UNMOUNT}
udevadm settle
for try in 1 2 3; do
  [ ! -e /dev/mapper ] || dmsetup remove_all || true
  for md in /dev/md[0-9]*; do [ ! -b "$md" ] || mdadm --quiet --stop "$md" || true; done
  udevadm settle
done >/dev/null 2>&1
blkdiscard -f "$1" && blockdev --rereadpt "$1" && udevadm settle
"""

# Names the disks that have partitions.
PARTITIONED = """
for each in /sys/block/*; do
  case ${each##*/} in loop*|md*|dm-*) continue ;; esac
  for partition in "$each"/*/partition; do
    if [ -e "$partition" ]; then echo "/dev/${each##*/}"; break; fi
  done
done
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory boots a machine, whether or not it says so."""
    for item in items:
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.vm)


class GuestBackend(BaseBackend):  # type: ignore[misc]  # testinfra is untyped
    """testinfra's commands, run in the guest."""

    NAME = "guest"

    def __init__(self, machine: rehearse.Machine) -> None:
        super().__init__("guest")
        self._machine = machine

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        line = self.get_command(command, *args)
        done = self._machine.run(["/bin/sh", "-c", line])
        return self.result(done.returncode, self.encode(line), done.stdout, done.stderr)


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rehearse.Machine]:
    """A booted machine with `DISKS`; what is written to them lasts until the disk is made blank."""
    work = tmp_path_factory.mktemp("guest")
    with rehearse.boot(rehearse.Guest(rehearse.find_kernel(), DISKS, memory_mib=3072, cpus=1), workdir=work) as machine:
        yield machine


@pytest.fixture(scope="session")
def host(guest: rehearse.Machine) -> testinfra.host.Host:
    """testinfra's view of the guest."""
    return testinfra.host.Host(GuestBackend(guest))


@pytest.fixture(scope="session")
def blank(guest: rehearse.Machine) -> Callable[[str], str]:
    """Makes a disk blank, with nothing mounted from it or under /mnt: `blank("/dev/vda")`; gives its path back.

    So are the others with partitions: a play lays out no second disk while another one carries its identity.
    """

    def make_blank(device: str) -> str:
        with_partitions = guest.run(["/bin/sh", "-c", PARTITIONED]).stdout.decode().split()
        for each in dict.fromkeys((*with_partitions, device)):
            done = guest.run(["/bin/sh", "-c", BLANK, "blank", each], timeout=300)
            assert done.returncode == 0, done.stderr.decode()
        return device

    return make_blank


@pytest.fixture(scope="session")
def forkserver(guest: rehearse.Machine) -> Forkserver:
    """Does actions in the guest, in turn, as `forkserver.py` has them; they may take 14 minutes together."""
    return serve(guest)


def serve(guest: rehearse.Machine) -> Forkserver:
    """Start the fork server in the guest; what it is asked with."""
    sh = shell(guest)
    sh(SERVE, str(TESTS), sys.executable)

    def do(*actions: dict[str, Any]) -> list[dict[str, Any]]:
        ask = ["/bin/sh", "-c", "cat >/run/asked; cat /run/answer"]
        answer = guest.run(ask, stdin=json.dumps(actions).encode(), timeout=840.0).stdout
        assert answer, sh("cat /run/forkserver")
        results: list[dict[str, Any]] = json.loads(answer)
        return results

    return do


@pytest.fixture(scope="session")
def subfloor(forkserver: Forkserver) -> Callable[..., list[Ran]]:
    """Runs command lines of subfloor in the guest, in turn: `subfloor(["check", "play.yml"], …)`."""
    return runs(forkserver)


def runs(forkserver: Forkserver) -> Callable[..., list[Ran]]:
    """What runs command lines of subfloor where that fork server is."""

    def run(*commands: Sequence[str]) -> list[Ran]:
        done = forkserver(*({"run": list(command)} for command in commands))
        return [Ran(each["status"], each["stdout"], each["stderr"]) for each in done]

    return run


@pytest.fixture(scope="session")
def sh(guest: rehearse.Machine) -> Callable[..., str]:
    """Runs a piece of shell in the guest, which must succeed; gives back what it says."""
    return shell(guest)


def shell(guest: rehearse.Machine) -> Callable[..., str]:
    """What runs a piece of shell in that guest."""

    def run(script: str, *arguments: str, timeout: float = 300.0) -> str:
        done = guest.run(["/bin/sh", "-euc", script, "sh", *arguments], timeout=timeout)
        assert done.returncode == 0, f"{script} {shlex.join(arguments)}\n{done.stdout!r}\n{done.stderr!r}"
        return done.stdout.decode()

    return run
