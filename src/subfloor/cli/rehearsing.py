"""The command ``rehearse``: three runs in a guest, shown live, and a picture of the resulting disks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from subfloor import rehearse
from subfloor.cli.files import check_writable, save
from subfloor.cli.resume import REHEARSED
from subfloor.cli.signals import interruptible
from subfloor.core.secret import Secret
from subfloor.playbook.job import Request, read_job
from subfloor.rehearse import rehearsal
from subfloor.rehearse.rehearsal import ACTS, BootedGuest, Run, Setting
from subfloor.report.disk import picture
from subfloor.report.screen import Screen, outcome_of, standard, style_for


@dataclass(frozen=True)
class RehearsalOptions:
    """The options of a rehearsal. ``arguments``: for subfloor in the guest.

    ``again``: the command line that repeats the rehearsal.

    ``passphrases``: lines of standard input for subfloor in the guest, which has no terminal.
    """

    arguments: tuple[str, ...]
    again: str = ""
    passphrases: tuple[Secret, ...] = ()
    json: bool = False
    report: Path | None = None
    keep: bool = False
    shell: bool = False
    reboot: bool = False


def run(request: Request, setting: Setting, wishes: RehearsalOptions) -> int:
    """Rehearse; returns the exit status, which is 1 if there is a complaint.

    Raises ``VmError``, ``PlaybookError`` and ``click.UsageError``.
    """
    check_writable(wishes.report, "--report")
    job = read_job(request, lambda: rehearsal.disks_in_words(setting.disks))
    if len(job.works) != 1:
        names = ", ".join(work.host.name for work in job.works)
        raise click.UsageError(f"a rehearsal needs one host, and the playbook matches {names}: choose one with --limit")
    with interruptible(), rehearsal.workplace(wishes.keep) as work:
        shown = _Rehearsal(setting, wishes, work)
        complaints = shown.perform()
        return outcome_of(shown.screen, 1 if complaints else 0)


class _Rehearsal:
    """One rehearsal: its output and its complaints."""

    def __init__(self, setting: Setting, wishes: RehearsalOptions, work: Path) -> None:
        self._setting, self._wishes, self._work = setting, wishes, work
        stream = standard()
        self.screen = Screen(stream)
        self._style = style_for(stream)
        self._names = rehearse.device_names(setting.disks)

    def perform(self) -> Sequence[str]:
        """Run the whole rehearsal; returns the complaints, none if it succeeded."""
        runs: list[Run] = []
        bootable = False
        self._say(f"Booting a virtual machine with {', '.join(rehearsal.disks_in_words(self._setting.disks))} …")
        with rehearsal.stage(self._setting, self._work, self._output, colour=self._style.colour) as stage:
            stage.environment = {REHEARSED: self._wishes.again}
            mounts = _mounts(stage)
            complaints = self._acts(stage, runs)
            self._picture(stage, mounts)
            if self._wishes.shell:
                self._shell(stage)
            bootable = self._wishes.reboot and stage.bootable(self._names)
            if self._wishes.reboot or self._wishes.keep:
                stage.machine.power_off()
            images = dict(stage.machine.images)
        if self._wishes.reboot:
            complaints += self._reboot(bootable, images)
        self._conclude(runs, complaints, images)
        return complaints

    def _acts(self, stage: BootedGuest, runs: list[Run]) -> list[str]:
        """Do the three runs, one after another, until one fails; returns its complaint, none if all succeed."""
        for act in ACTS:
            self._headline(act.title)
            runs.append(stage.run(act.command, self._wishes.arguments, self._wishes.passphrases))
            if wrong := rehearsal.complaint(act, runs[-1]):
                return [wrong]
        return []

    def _picture(self, stage: BootedGuest, before: Mapping[str, str]) -> None:
        if self._wishes.json:
            return
        self._headline("What is on the disks now")
        for name in self._names:
            if (disk := stage.disk(name)) is not None:
                self.screen.print([*picture(disk, self._style), ""])
        columns = "NAME,SIZE,FSTYPE,LABEL,PARTLABEL,MOUNTPOINTS"
        self.screen.write(stage.say("lsblk", "-o", columns, *self._names))
        mounted = [line for number, line in _mounts(stage).items() if number not in before or not number.isdigit()]
        swaps = stage.say("swapon", "--show")
        if len(mounted) > 1 or swaps:
            self._headline("What is mounted, and used as swap")
            self.screen.print(mounted if len(mounted) > 1 else ())
            self.screen.write(f"\n{swaps}" if swaps else "")

    def _shell(self, stage: BootedGuest) -> None:
        self._say("")
        self._say("A shell in the virtual machine; leave it with `exit`.")
        stage.machine.interact(["/bin/sh", "-i"])

    def _reboot(self, bootable: bool, images: Mapping[str, Path]) -> list[str]:
        """Boot the installed system, let it run until it ends or its time is up, and show its console."""
        self._headline("Reboot into the installed system")
        if not bootable:
            wrong = "no boot loader was installed: no EFI/BOOT/BOOTX64.EFI on any EFI system partition"
            self._say(wrong)
            return [wrong]
        disks = [replace(disk, image=images[name]) for name, disk in zip(self._names, self._setting.disks, strict=True)]
        with rehearse.boot_from_disk(disks, workdir=self._work, memory_mib=self._setting.memory_mib) as machine:
            with contextlib.suppress(rehearse.GuestLost):  # a system that still runs at the end is no error
                machine.wait(self._setting.timeout)
            self._output(machine.console_tail() + "\n")
        self._say("The machine was stopped. Check its console output above.")
        return []

    def _conclude(self, runs: Sequence[Run], complaints: Sequence[str], images: Mapping[str, Path]) -> None:
        told = {"behaved": not complaints, "complaints": list(complaints), "runs": [_as_json(run) for run in runs]}
        document = json.dumps(told, indent=2) + "\n"
        if self._wishes.report:
            save(self._wishes.report, document)
        if self._wishes.json:
            self.screen.write(document)
            return
        self._say("")
        for name, image in images.items() if self._wishes.keep else ():
            self._say(f"Kept: {name} is {image}")
        if complaints:
            self.screen.print([self._style.paint(f"The rehearsal failed: {'; '.join(complaints)}.", "red")])
        else:
            good = "The rehearsal succeeded: applied, unchanged by a second apply, in sync."
            self.screen.print([self._style.paint(good, "green")])

    def _headline(self, title: str) -> None:
        if not self._wishes.json:
            self.screen.print(["", self._style.paint(f"── {title} ──", "cyan"), ""])

    def _say(self, line: str) -> None:
        if not self._wishes.json:
            self.screen.print([self._style.clean(line)])

    def _output(self, text: str) -> None:
        if not self._wishes.json:
            self.screen.write(text)


def _as_json(run: Run) -> dict[str, object]:
    return {"arguments": run.arguments, "status": run.status, "report": run.report}


def _mounts(stage: BootedGuest) -> dict[str, str]:
    """The lines of findmnt, by the ID of the mount. The header line comes first, under ``ID``."""
    lines = stage.say("findmnt", "--list", "--output", "ID,TARGET,SOURCE,FSTYPE,OPTIONS").splitlines()
    cut = len(lines[0]) - len(lines[0].lstrip()) + len("ID ") if lines else 0
    return {line.split()[0]: line[cut:].rstrip() for line in lines if line.strip()}
