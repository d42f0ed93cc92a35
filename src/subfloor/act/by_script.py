"""Run commands on a host where no shell can stay open, such as an Ansible connection: each request is one script.

A script runs to its end, whatever happens to the connection, and its locks end with it. The look that a step is
decided on is made under the step's locks, but by an earlier script. So the script with the step's commands takes the
locks again, makes the same look, and compares the outputs. If they differ, no command runs: the step is decided again.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from secrets import token_hex
from threading import Event

from subfloor.act import frames, locks, pieces
from subfloor.act.connecting import broke_off, not_reached
from subfloor.act.exchange import Answer, Stream
from subfloor.act.frames import Frame
from subfloor.act.locks import Lock
from subfloor.act.pieces import Piece, Result
from subfloor.act.session import Moved, Waiting
from subfloor.core.errors import Refused


@dataclass(frozen=True)
class Said:
    """What a script printed on its standard output and standard error."""

    stdout: bytes
    stderr: bytes


Send = Callable[[bytes], Said]
"""Runs a script by ``sh`` on the host and returns what it printed. Raises ``Unreachable``."""

_OFTEN = 10
"""After this many changes in a row, a step is refused, and not decided again."""

_DONE = 77
"""The exit status of the subshell in a script, if all pieces in it succeeded."""


@dataclass(frozen=True)
class ScriptHost:
    """A host on which ``send`` runs scripts."""

    name: str
    send: Send

    @contextlib.contextmanager
    def shell(self, interrupt: Event | None = None) -> Iterator[ScriptSession]:
        """A session on the host; nothing stays open between two requests."""
        yield ScriptSession(self.name, self.send)


@dataclass(frozen=True)
class _Seen:
    """The look that a step was decided on: the sh that makes it, and the digest of its output."""

    text: str
    digest: str

    @property
    def print(self) -> str:
        """sh that makes the look again and prints the digest."""
        return f"{{ ( {self.text}\n) </dev/null 2>/dev/null 4>&- | sha256sum; }}"

    @property
    def compare(self) -> Piece:
        """sh that makes the look again, and fails if the output is not the same."""
        return pieces.script(f'[ "$({self.print})" = "{self.digest}  -" ]', timeout=0.0, name="look")


class ScriptSession:
    """Runs each request as a script of its own."""

    def __init__(self, name: str, send: Send) -> None:
        self._name, self._send = name, send
        self._locks: tuple[Lock, ...] = ()  # the locks of the step that is being taken
        self._seen: _Seen | None = None  # the look that this step was decided on
        self._moved = 0

    def perform(self, asked: Sequence[Piece]) -> list[Result]:
        """Run pieces of sh one after another; returns the results of those that ran.

        In a step, pieces that write run only if a new look has the same output as the look that the step was decided
        on. Raises ``Unreachable``, ``Refused`` (a lock is held, a disk is gone, or the machine changes all the time),
        and ``Moved`` if the machine has changed since the step was decided.
        """
        if not self._locks or all(piece.reads_only for piece in asked):
            return self._run([], asked)
        return self._guarded(asked)

    @contextlib.contextmanager
    def locked(
        self, devices: Sequence[str], waiting: Waiting = lambda path, holders: None, then: Sequence[Piece] = ()
    ) -> Iterator[Sequence[Result]]:
        """Run ``then``, the look of a step, under the step's locks; the value of the context is the results.

        In the context, pieces that write run only if a new look has the same output. The locks are held while a
        request runs, but not between two requests. Raises ``Refused`` if another program holds a lock for longer
        than 20 s.
        """
        wanted = locks.of_step(devices)
        try:
            results = self._under(wanted, then) if then else []
            self._seen = _seen(then[-1], results[-1]) if then else None
            self._locks = wanted
            yield results
        finally:
            self._locks, self._seen = (), None

    def holds(self, devices: Sequence[str]) -> bool:
        """No lock is held between two requests."""
        return False

    def release(self) -> None:
        """No lock is held between two requests."""

    def _guarded(self, asked: Sequence[Piece]) -> list[Result]:
        compare = [self._seen.compare] if self._seen else []
        results = self._under(self._locks, asked, compare, self._seen)
        self._moved = 0
        return results

    def _under(
        self, wanted: Sequence[Lock], asked: Sequence[Piece], compare: Sequence[Piece] = (), seen: _Seen | None = None
    ) -> list[Result]:
        """Take the locks, compare the machine with ``seen``, then run the pieces; returns the pieces' results."""
        takes = [pieces.script(lock.take_or_wait, timeout=0.0, name="flock") for lock in wanted]
        results = self._run([*takes, *compare], asked, seen)
        for lock, result in zip(wanted, results, strict=False):
            self._check_taken(lock, result)
        if compare and results[len(takes)].status:
            raise self._has_moved()
        return results[len(takes) + len(compare) :]

    def _check_taken(self, lock: Lock, result: Result) -> None:
        path, _, holders = result.stdout.partition(b"\n")
        named = holders.decode("utf-8", "replace").splitlines()
        if result.status == locks.GONE:
            raise locks.gone(lock)
        if result.status:
            raise locks.refusal(lock.found(path), named)

    def _has_moved(self) -> Moved | Refused:
        self._moved += 1
        if self._moved < _OFTEN:
            return Moved()
        return Refused(
            "the machine keeps changing: this step was decided "
            f"{_OFTEN} times, and each time the machine changed before the step began",
            advice="find out what uses these disks (lsof, `ps -ef`), stop it, and run the same command again",
        )

    def _run(self, first: Sequence[Piece], asked: Sequence[Piece], seen: _Seen | None = None) -> list[Result]:
        """Run ``first`` in the shell itself, then ``asked`` apart. If these fail, renew ``seen`` for the next try."""
        every, mark, began = [*first, *asked], token_hex(16), time.monotonic()
        framed = [replace(piece.frame, alone=True) for piece in every]
        answers = [piece.answer(frame) for piece, frame in zip(every, framed, strict=True)]
        after = f"printf '\\n%s ' {mark}\n{seen.print}" if seen else ":"
        said = self._send(_script(framed[: len(first)], framed[len(first) :], after))
        rest = _read(said.stdout, [answer.out for answer in answers])
        _read(said.stderr, [answer.err for answer in answers])
        results = self._results(every, answers, said, time.monotonic() - began)
        if seen and mark.encode() in rest:
            self._seen = replace(seen, digest=rest.partition(mark.encode())[2].split()[0].decode())
        return results

    def _results(self, every: Sequence[Piece], answers: Sequence[Answer], said: Said, seconds: float) -> list[Result]:
        ran = [answer for answer in answers if answer.ended]
        if len(ran) < len(answers) and (not ran or ran[-1].went_well):
            printed = b"\n".join(filter(None, (said.stdout[-4096:], said.stderr[-4096:])))
            raise (broke_off if ran else not_reached)(self._name, (), printed)
        results = [Result(each.out.status, each.out.output, each.err.output, seconds) for each in ran]
        for piece, result in zip(every, results, strict=False):
            piece.begun()
            piece.ended(result)
        return results


def _seen(piece: Piece, result: Result) -> _Seen:
    return _Seen(piece.text, hashlib.sha256(result.stdout).hexdigest())


def _script(first: Sequence[Frame], apart: Sequence[Frame], after: str) -> bytes:
    """The script, as one compound command: if its end is lost, nothing runs. ``after`` runs if ``apart`` fails."""
    text = "".join(map(frames.or_exit, first))
    if apart:
        chain = "".join(map(frames.or_exit, apart))
        text += f"( {chain}exit {_DONE}\n) </dev/null\n[ $? = {_DONE} ] || {{ {after}\n}}\n"
    return frames.OPEN + f"{{ {frames.PREPARE}{text}exit 0\n}}\n".encode("utf-8", "surrogateescape")


def _read(data: bytes, streams: Sequence[Stream]) -> bytes:
    """Give each stream its part of what was printed; returns the rest."""
    left = deque(streams)
    while data and left:
        data = left[0].extend(data)
        if not left[0].ended:
            return data
        left.popleft()
    return data
