"""Look at any number of subjects on a host: one script, one round trip, one machine."""

from __future__ import annotations

import contextlib
import secrets
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence

from subfloor.act.pieces import Piece, reading
from subfloor.act.session import Session
from subfloor.core.errors import LookFailed, SubfloorError
from subfloor.core.faults import RAISED, asked, place
from subfloor.core.machine import PATIENCE, AnySubject, Machine, Output
from subfloor.observe.private_view import PrivateView, Shown

_CONNECTION = 120.0
"""Seconds that a look may take in addition to the limits of its probes."""

MOST = 64 << 20
"""Bytes that one probe may print."""


class Look:
    """A look at subjects: the piece of sh that makes it, and the machine that its output shows.

    ``ahead`` are subjects that need not be seen: one that cannot be read is left out.
    """

    def __init__(self, subjects: Iterable[AnySubject], ahead: Iterable[AnySubject] = ()) -> None:
        """Raises ``PluginError``."""
        wanted = set(subjects)
        self._needed, self._ahead = sorted(wanted, key=_name), tuple(set(ahead) - wanted)
        self._askers: dict[str, AnySubject] = {}
        for subject in (*self._needed, *self._ahead):
            for probe in _probes(subject):
                self._askers.setdefault(probe, subject)
        self._mark = secrets.token_hex(16)

    @property
    def piece(self) -> Piece:
        """The piece of sh that makes the look; time and output of each probe are limited."""
        return self._watched(script(self._askers, self._mark) or ":", tuple(self._askers.values()))

    def within(self, view: PrivateView) -> Piece:
        """The piece of sh that makes the look inside the view. ``machine_within`` reads its output."""
        (shows,) = view.probes()
        text = f"{shows}\n{_end(self._mark)}\n{script(self._askers, self._mark)}"
        return self._watched(view.around(text), (view, *self._askers.values()))

    def _watched(self, text: str, askers: Sequence[AnySubject]) -> Piece:
        timeout = _CONNECTION + sum(max(each.patience, PATIENCE) for each in askers)
        return reading(text, timeout=timeout, watch=_Watch(self._mark, askers))

    @property
    def subjects(self) -> int:
        """How many subjects are looked at."""
        return len(self._needed) + len(self._ahead)

    def machine(self, said: bytes) -> Machine:
        """The current state of each subject. Raises ``LookFailed``."""
        return self._machine(split(said, self._mark, len(self._askers)))

    def machine_within(self, said: bytes, view: PrivateView) -> tuple[Machine, Shown]:
        """The state of each subject inside the view, and which places could not be shown. Raises ``LookFailed``."""
        if self._mark.encode() not in said:
            return Machine(), view.not_shown(said.decode("utf-8", "replace"))
        first, *others = split(said, self._mark, len(self._askers) + 1)
        return self._machine(others), view.parse(first)

    def _machine(self, parts: Sequence[Output]) -> Machine:
        outputs = dict(zip(self._askers, parts, strict=True))
        seen = {subject: _parsed(subject, outputs) for subject in self._needed}
        for subject in self._ahead:
            with contextlib.suppress(SubfloorError):
                seen[subject] = _parsed(subject, outputs)
        return Machine(seen)


def look(shell: Session, subjects: Iterable[AnySubject]) -> Machine:
    """The current state of each subject. Raises ``LookFailed``, ``PluginError``, and whatever ``perform`` raises."""
    one = Look(subjects)
    if not one.subjects:
        return Machine()
    (result,) = shell.perform([one.piece])
    return one.machine(result.stdout)


def _probes(subject: AnySubject) -> tuple[str, ...]:
    return asked(subject, "failed to list its probes", subject.probes, _are_texts)


class _Watch:
    """Follows the output of a look. Raises ``LookFailed`` if a probe is silent for too long or prints too much.

    A probe may take longer than its subject's ``patience`` while it prints, as that of a disk of many partitions does.
    """

    def __init__(self, mark: str, askers: Sequence[AnySubject]) -> None:
        self._frame, self._askers = b"\n" + mark.encode() + b" ", askers
        self._done, self._body, self._searched = 0, 0, 0
        self._printed, self._since = -1, 0.0

    def __call__(self, said: bytearray) -> None:
        if len(said) > self._printed:
            self._printed, self._since = len(said), time.monotonic()
        while (at := said.find(self._frame, self._searched)) >= 0:
            self._done += 1
            self._body = self._searched = at + len(self._frame)
        self._searched = max(self._body, len(said) - len(self._frame))
        if self._done < len(self._askers):
            self._hold(self._askers[self._done], len(said) - self._body)

    def _hold(self, subject: AnySubject, printed: int) -> None:
        if printed > MOST:
            raise LookFailed(
                f"{subject}: its probe prints more than {MOST >> 20} MiB",
                advice="check what it reads: a probe should read only the state of its subject",
            )
        if time.monotonic() - self._since > subject.patience:
            raise LookFailed(
                f"{subject} gave no answer within {subject.patience:.0f} s",
                advice="check whether a device or a network filesystem that it needs no longer answers "
                "(dmesg; `ps -eo pid,stat,args` shows a read that waits as D); then run the same command again",
            )


def script(probes: Iterable[str], mark: str) -> str:
    """The sh script that runs each probe in its own subshell and marks the end of its output."""
    return "\n".join(f"( eval {shlex.quote(probe)} ) </dev/null 2>/dev/null; {_end(mark)}" for probe in probes)


def _end(mark: str) -> str:
    """sh that marks the end of a probe's output."""
    return f"printf '\\n%s %d\\n' {mark} $?"


def split(said: bytes, mark: str, count: int) -> tuple[Output, ...]:
    """The outputs of the probes. Raises ``LookFailed`` if their number is not ``count``."""
    frame = b"\n" + mark.encode() + b" "
    bodies = said.split(frame)
    if len(bodies) != count + 1:
        raise _broke_off()
    outputs, body = [], bodies[0]
    for rest in bodies[1:]:
        status, _, following = rest.partition(b"\n")
        if not status.isdigit():
            raise _broke_off()
        outputs.append(Output(body, int(status)))
        body = following
    return tuple(outputs)


def _broke_off() -> LookFailed:
    return LookFailed("the run was interrupted while it read the machine", advice="run the same command again")


def _name(subject: AnySubject) -> str:
    return asked(subject, "failed to return its name", lambda: str(subject), bool)


def _are_texts(answer: object) -> bool:
    return isinstance(answer, tuple) and all(isinstance(each, str) for each in answer)


def _parsed(subject: AnySubject, outputs: Mapping[str, Output]) -> object:
    try:
        return subject.parse(*(outputs[probe] for probe in subject.probes()))
    except SubfloorError:
        raise
    except RAISED as error:
        raise LookFailed(
            f"{subject}: the output of its probes was not understood ({place(error)}{type(error).__name__}: {error})",
            advice="this is a bug in subfloor or in the plugin: report it with the output of "
            "`lsblk -O --json`, `wipefs --json` and `cat /proc/self/mountinfo`",
        ) from error
