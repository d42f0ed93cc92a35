"""A machine in the guest that drifts: made with a playbook, changed by plain tools, checked and applied again.

subfloor runs on this machine and reaches the guest through a shell: its Python is not emulated, its commands are.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crash.forked import subfloor
from drift_table import Drift, play, record
from subfloor import rehearse

NAMES = {"/dev/vda": "/dev/vdf", "/dev/vdb": "/dev/vdd"}
"""The disks as the table calls them, and as the guest does: 1 GiB and 4 GiB."""

SERIAL = " serial SMALL-1"
"""Of the disk in the guest: the table leaves it out."""

BACK = {there: here for here, there in NAMES.items()}
INDENT = " " * 16
KEYS = "[ -e /run/vault.key ] || head -c 64 /dev/urandom > /run/vault.key; chmod 0600 /run/vault.key"
SETTLED = "udevadm settle; sync"


@dataclass(frozen=True)
class Checked:
    """A check: its exit status, its text without the tasks that are in sync, its JSON document, its page."""

    status: int
    text: str
    host: dict[str, Any]
    page: str

    @property
    def differences(self) -> tuple[str, ...]:
        """Each difference that the document lists: what it takes to repair it, what differs, found and declared."""
        return tuple(
            " | ".join((each["repair"], _where(each), _shown(each["found"]), _shown(each["declared"])))
            for task in self.host["tasks"]
            for each in task["differences"]
        )


@dataclass(frozen=True)
class Ran:
    """A run of apply, or a piece of shell."""

    status: int
    said: str


class Drifting:
    """The machine of one playbook. ``way``: the argv that leads to the guest; ``work``: a directory for files."""

    def __init__(self, guest: rehearse.Machine, way: tuple[str, ...], work: Path) -> None:
        self._guest, self._work = guest, work
        self.in_sync_with = ""
        here = {"subfloor_connection": "local", "subfloor_become": shlex.join(way)}
        self._inventory = work / "inventory.yml"
        self._inventory.write_text(json.dumps({"all": {"hosts": {"localhost": here}}}))

    def converge(self, name: str) -> Ran:
        """Apply the playbook to a blank disk."""
        self.by_hand(KEYS)
        return self._run("apply", play(name))

    def checked(self, drift: Drift) -> Checked:
        """Check, with all reports."""
        files = {end: self._work / f"report.{end}" for end in ("json", "html")}
        ran = self._run("check", [*drift.words, *(word for file in files.values() for word in ("--report", str(file)))])
        document, page = (_as_in_table(file.read_text()) for file in files.values())
        (host,) = json.loads(document)["hosts"].values()
        return Checked(ran.status, _open(ran.said), host, page)

    def applied(self, drift: Drift, *consent: str) -> Ran:
        """Apply."""
        ran = self._run("apply", [*drift.words, *consent])
        self.by_hand("")
        return ran

    def by_hand(self, script: str) -> Ran:
        """What plain tools do."""
        argv = ["sh", "-euc", _renamed(f"{script}\n{SETTLED}", NAMES)]
        done = self._guest.run(argv, timeout=300)
        return Ran(done.returncode, (done.stdout + done.stderr).decode(errors="replace"))

    def _run(self, command: str, words: Sequence[str]) -> Ran:
        ran = subfloor(command, "-i", self._inventory, *(_renamed(word, NAMES) for word in words))
        return Ran(ran.status, _as_in_table(ran.said))


def _as_in_table(text: str) -> str:
    return _renamed(text, BACK).replace(SERIAL, "")


def _renamed(text: str, names: dict[str, str]) -> str:
    for one, other in names.items():
        text = text.replace(one, other).replace(one.removeprefix("/dev/"), other.removeprefix("/dev/"))
    return text


def _open(said: str) -> str:
    """The text of a check without the tasks that are in sync, how many they are, and warnings, which are no drift."""
    kept, in_sync = [], False
    for line in said.splitlines():
        if not line.startswith(INDENT):
            in_sync = line.startswith(("  ok  ", "  skipped  "))
        if not in_sync and line != "localhost" and not line.startswith(f"{INDENT}warning: "):
            kept.append(re.sub(r"^(localhost: .*) \(.*\)$", r"\1", line))
    return "\n".join(kept) + "\n"


def _where(difference: dict[str, Any]) -> str:
    return ", ".join(filter(None, (difference["subject"], difference["property"])))


LONG = 60


def _shown(value: object) -> str:
    """A value as JSON; what is long is shortened."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONG else f"{text[:LONG]}…"


def expected(drift: Drift, checked: Checked) -> Drift:
    """The drift with what the table expects; with what was found if the table is written anew."""
    if not os.environ.get("UPDATE_GOLDEN"):
        return drift
    record(drift, checked.status, checked.text, checked.differences)
    return replace(drift, status=checked.status, says=checked.text, json=checked.differences)
