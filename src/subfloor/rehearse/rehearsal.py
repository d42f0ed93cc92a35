"""Rehearse a playbook: apply it in a temporary virtual machine with blank disks.

Three runs must succeed: the first applies everything, the second changes nothing, and a check finds nothing to do.
Their exit statuses and JSON reports show the result.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from subfloor import rehearse
from subfloor.act.look import script, split
from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.core.secret import Secret
from subfloor.observe.disk import Disk, DiskState
from subfloor.storage import sizes

_REPORT = "/run/subfloor-report.json"
_FORCED = ("-e", "subfloor_connection=local", "-e", "subfloor_become=[]")
"""Overrides the connection in the inventory: in a rehearsal, the guest is the host."""

DEFAULT_DISK = "30GiB"


@dataclass(frozen=True)
class Setting:
    """The virtual machine of a rehearsal. ``timeout``, in seconds, is for the whole rehearsal."""

    disks: tuple[rehearse.Disk, ...]
    kernel: Path | None = None
    memory_mib: int = 2048
    timeout: float = 900.0


@dataclass(frozen=True)
class Run:
    """One run of subfloor in the guest: the arguments, the exit status, and the report, if there is one."""

    arguments: tuple[str, ...]
    status: int
    report: Mapping[str, Any] | None


@dataclass(frozen=True)
class Act:
    """One of the three runs: its title and command; ``judge`` returns what is wrong with its result, or None."""

    title: str
    command: tuple[str, ...]
    judge: Callable[[Run], str | None]


def disk_of(text: str) -> rehearse.Disk:
    """A disk from ``SIZE[:nvme|:virtio][:512|:4096]``. Raises ``ValueError``."""
    size, *options = text.split(":")
    disk = rehearse.Disk(sizes.parse(size))
    for option in options:
        match option:
            case "virtio" | "nvme":
                disk = replace(disk, bus=option)
            case "512":
                disk = replace(disk, sector=512)
            case "4096":
                disk = replace(disk, sector=4096)
            case _:
                raise ValueError(f"{option!r} is neither a bus (virtio, nvme) nor a sector size (512, 4096)")
    return disk


def disks_in_words(disks: Sequence[rehearse.Disk]) -> tuple[str, ...]:
    """The guest's disks as text, for the advice about an undefined variable."""
    return tuple(
        f"{name} ({sizes.show(disk.size)})" for name, disk in zip(rehearse.device_names(disks), disks, strict=True)
    )


# The three acts.


def _applied(run: Run) -> str | None:
    return None if run.status == 0 else f"the first apply ended with exit status {run.status}"


def _unchanged(run: Run) -> str | None:
    if run.status:
        return f"the second apply ended with exit status {run.status}"
    changed = [task["name"] for task in _tasks(run) if task["outcome"] not in ("ok", "skipped")]
    return f"the second apply still made changes: {'; '.join(changed)}" if changed else None


def _in_sync(run: Run) -> str | None:
    return None if run.status == 0 else f"the check after the second apply ended with exit status {run.status}"


def _tasks(run: Run) -> Iterator[Mapping[str, Any]]:
    for host in (run.report or {}).get("hosts", {}).values():
        yield from host["tasks"]


ACTS = (
    Act("Apply to blank disks", ("apply", "--yes"), _applied),
    Act("Apply again: nothing may change", ("apply", "--yes"), _unchanged),
    Act("Check: nothing may be left to do", ("check",), _in_sync),
)


def complaint(act: Act, run: Run) -> str | None:
    """What is wrong with a run; None if it succeeded. A run without a report has failed."""
    return act.judge(run) or (None if run.report else "the run wrote no report")


# In the guest.


class BootedGuest:
    """A booted guest in which commands can be run until the deadline."""

    def __init__(self, machine: rehearse.Machine, deadline: float, output: Callable[[str], None], colour: bool) -> None:
        self.machine = machine
        self.environment: Mapping[str, str] = {}
        self._deadline, self._output, self._colour = deadline, output, colour

    def run(self, command: Sequence[str], arguments: Sequence[str], typed: Sequence[Secret] = ()) -> Run:
        """Run subfloor in the guest and show its output. ``typed``: the lines of its standard input."""
        argv = [sys.executable, "-m", "subfloor", *command, *arguments, *_FORCED, "--report", _REPORT]
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.machine.run(["rm", "-f", _REPORT])
        done = self.machine.run(
            argv,
            stdin=b"".join(each.bytes + b"\n" for each in typed),
            cwd=str(Path.cwd()),
            env=self._environment(),
            timeout=self._left(),
            output=lambda data: self._output(decoder.decode(data)),
        )
        return Run(tuple(argv[3:]), done.returncode, self._report())

    def say(self, *argv: str) -> str:
        """The standard output of a program in the guest."""
        return self.machine.run(argv, timeout=min(60.0, self._left())).stdout.decode("utf-8", "replace")

    def disk(self, path: str) -> DiskState | None:
        """The state of a disk in the guest; None if it cannot be read."""
        probes = tuple(dict.fromkeys(Disk(path).probes()))
        mark = os.urandom(16).hex()
        said = self.machine.run(["sh"], stdin=script(probes, mark).encode(), timeout=self._left()).stdout
        try:
            outputs: dict[str, Output] = dict(zip(probes, split(said, mark, len(probes)), strict=True))
            state = Disk(path).parse(*(outputs[probe] for probe in Disk(path).probes()))
        except LookFailed:
            return None
        return state if isinstance(state, DiskState) else None

    def bootable(self, disks: Sequence[str]) -> bool:
        """Whether firmware finds a boot loader on one of the disks."""
        return self.machine.run(["sh", "-c", _BOOTABLE, "sh", *disks], timeout=self._left()).returncode == 0

    def _left(self) -> float:
        return max(1.0, self._deadline - time.monotonic())

    def _environment(self) -> dict[str, str]:
        passed = {name: os.environ[name] for name in ("PYTHONPATH", "NO_COLOR") if os.environ.get(name)}
        return {
            **passed,
            **self.environment,
            "PYTHONDONTWRITEBYTECODE": "1",
            **({"FORCE_COLOR": "1"} if self._colour else {}),
        }

    def _report(self) -> Mapping[str, Any] | None:
        found = self.machine.run(["cat", _REPORT])
        if found.returncode:
            return None
        report: Mapping[str, Any] = json.loads(found.stdout)
        return report


# QEMU starts the kernel directly, but the playbook is for a machine that firmware starts, usually UEFI.
_LIKE_UEFI = "[ -d /sys/firmware/efi ] || { mount -t tmpfs tmpfs /sys/firmware && mkdir /sys/firmware/efi; }"

_BOOTABLE = """
for part in $(lsblk -lnpo NAME,PARTTYPE "$@" | awk '$2 == "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" {print $1}'); do
    at=$(findmnt -nro TARGET --source "$part" | head -n 1)
    [ -n "$at" ] || { at=$(mktemp -d) && mount -o ro "$part" "$at" || continue; }
    [ ! -e "$at/EFI/BOOT/BOOTX64.EFI" ] || exit 0
done
exit 1
"""


@contextlib.contextmanager
def stage(setting: Setting, workdir: Path, output: Callable[[str], None], *, colour: bool) -> Iterator[BootedGuest]:
    """A booted guest with blank disks. Raises ``VmError``."""
    deadline = time.monotonic() + setting.timeout
    guest = rehearse.Guest(rehearse.find_kernel(setting.kernel), setting.disks, memory_mib=setting.memory_mib)
    with rehearse.boot(guest, workdir=workdir, deadline=min(setting.timeout, rehearse.BOOT_DEADLINE)) as machine:
        machine.run(["sh", "-c", _LIKE_UEFI])
        yield BootedGuest(machine, deadline, output, colour)


@contextlib.contextmanager
def workplace(keep: bool) -> Iterator[Path]:
    """A directory for the disks' images, removed at the end unless ``keep``."""
    if keep:
        yield Path(tempfile.mkdtemp(prefix="subfloor-rehearsal-"))
        return
    with tempfile.TemporaryDirectory(prefix="subfloor-rehearsal-") as name:
        yield Path(name)
