"""Run commands on a host through one POSIX shell that stays open.

Local, ssh, sudo and chroot differ only in the argv that starts ``sh`` there. Commands are sent to it in requests of
one or more pieces, so a command needs no new session. If subfloor is killed, the shell reads the end of its input and
ends; the command that is running continues to its end and keeps the lock that it inherited. The next piece of its
request then finds that nobody reads its output, and does not run.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event

from subfloor.act import frames, locks, pieces
from subfloor.act.connecting import broke_off, no_answer, not_reached
from subfloor.act.exchange import Answer, Exchange, Gone, pipe_of
from subfloor.act.locks import Lock
from subfloor.act.pieces import Piece, Result, Tick
from subfloor.act.process_group import GRACE, abandon_group, end_group, force_group
from subfloor.act.session import Waiting
from subfloor.act.ssh import one_connection
from subfloor.act.sudo import Password, start
from subfloor.core.errors import CommandFailed, Unreachable

_ANSWER = 60.0
"""Seconds in which a shell must answer for the first time."""


@dataclass(frozen=True)
class Host:
    """A machine to run commands on: its name in the inventory, and the argv that leads to it.

    ``password`` is for the sudo in the prefix.
    """

    name: str = "localhost"
    prefix: tuple[str, ...] = ()
    password: Password | None = None

    @contextlib.contextmanager
    def shell(self, interrupt: Event | None = None) -> Iterator[Shell]:
        """A shell on the host, closed at the end. ``interrupt`` ends the running command. Raises ``Unreachable``."""
        with one_connection(self.prefix) as prefix:
            shell = Shell(self, prefix, interrupt)
            try:
                yield shell
            finally:
                shell.close()


class Shell:
    """An open ``sh`` on a host. ``kill`` also ends the running command: no command outlives an interrupted run."""

    def __init__(self, host: Host, prefix: tuple[str, ...], interrupt: Event | None = None) -> None:
        """``prefix``: the argv that leads to the host in this run. ``interrupt``: if it is set, the running command is
        ended within a second, and ``KeyboardInterrupt`` is raised. Raises ``Unreachable``."""
        self.host, self._prefix, self._interrupt = host, prefix, interrupt
        self._relays: tuple[int, ...] = ()
        self._due: tuple[Lock, ...] = ()  # the locks of the last step: the next request releases them first
        self._held = False  # whether the last step got all of its locks
        try:
            self._process = self._start()
        except OSError as error:
            raise Unreachable(
                f"{host.name}: {error}", advice="check the connection's settings in the inventory"
            ) from error
        os.set_blocking(pipe_of(self._process.stdin).fileno(), False)
        self._group, self._ended, self._opened = 0, False, False
        self._group = self._first_words()

    def _start(self) -> subprocess.Popen[bytes]:
        return start(self.host.name, self._prefix, self.host.password, _ANSWER)

    def perform(self, asked: Sequence[Piece]) -> list[Result]:
        """Run pieces of sh one after another, in one request; returns the results of those that ran.

        A piece runs only if the piece before has succeeded. Pieces for the shell itself must come first.
        Raises ``CommandFailed`` if a piece does not end in time (the shell and all of its processes are ended),
        ``Unreachable`` if the shell has ended, and what the functions of the pieces raise.
        """
        framed = [piece.frame for piece in asked]
        answers = [piece.answer(frame) for piece, frame in zip(asked, framed, strict=True)]
        data, self._due = frames.request(framed, self._relays, locks.release(self._due)), ()
        self._exchange(asked, Exchange(self._process, data, answers), answers)
        ran = [answer for answer in answers if answer.ended]
        self._relays = ran[-1].relays
        return [_result(answer) for answer in ran]

    def _exchange(self, asked: Sequence[Piece], exchange: Exchange, answers: Sequence[Answer]) -> None:
        def advanced() -> None:
            last = exchange.at - 1
            asked[last].ended(_result(answers[last]))
            if answers[last].went_well and exchange.at < len(asked):
                asked[exchange.at].begun()

        def each_second(seconds: float) -> None:
            if self._interrupt and self._interrupt.is_set():
                raise KeyboardInterrupt
            asked[exchange.at].hold(seconds, exchange.latest, answers[exchange.at].out)

        try:
            asked[0].begun()
            exchange.run(advanced, each_second)
        except Gone:
            said = [bytes(stream.said) for answer in answers for stream in (answer.out, answer.err)]
            said += exchange.rest()
            self.kill()
            raise self._gone(b"\n".join(filter(None, said))) from None
        except BaseException:
            self.kill(wait=not asked[min(exchange.at, len(asked) - 1)].reads_only)
            raise

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 600.0,
        env: Mapping[str, str] | None = None,
        tick: Tick | None = None,
    ) -> Result:
        """Run one command and wait for its end. ``timeout`` in seconds. Raises as ``perform`` does."""
        return self.perform([pieces.command(argv, stdin=stdin, timeout=timeout, env=env, tick=tick)])[0]

    def script(self, text: str, *, timeout: float, name: str = "sh") -> Result:
        """Run a piece of subfloor's own sh in the shell itself. Raises as ``perform`` does."""
        return self.perform([pieces.script(text, timeout=timeout, name=name)])[0]

    @contextlib.contextmanager
    def locked(
        self,
        devices: Sequence[str],
        waiting: Waiting = lambda path, holders: None,
        then: Sequence[Piece] = (),
    ) -> Iterator[Sequence[Result]]:
        """Hold an exclusive flock(2) on device nodes, or on the machine if there are none; every command inherits it.

        The pieces of ``then`` run in the same request, once the locks are taken; the value of the context is their
        results. After the context, the next request first releases the locks, unless it takes the same locks again.
        ``release`` releases them at once. The descriptors are read-only, since closing a writable one makes udev probe
        the disk again. Raises ``Refused`` if another program holds a lock for longer than 20 s, or if a device is gone.
        """
        wanted, held = locks.of_step(devices), self.holds(devices)
        self._due, self._held = (() if held else self._due), False
        try:
            results = self._lock(() if held else wanted, waiting, then)
            self._held = True
            yield results
        finally:
            self._due = wanted

    def holds(self, devices: Sequence[str]) -> bool:
        """Whether the locks that ``locked`` would take are still held from the last step."""
        return self._held and self._due == locks.of_step(devices) and not self._ended

    def release(self) -> None:
        """Release the locks of the last step now, because no step follows for a while."""
        if self._due and not self._ended:
            self.script(":", timeout=GRACE)

    def _lock(self, wanted: Sequence[Lock], waiting: Waiting, then: Sequence[Piece]) -> Sequence[Result]:
        left = wanted
        while left:
            takes = [pieces.script(lock.take, timeout=GRACE, name="flock") for lock in left]
            results = self.perform([*takes, *then])
            failed = next((number for number, each in enumerate(results[: len(left)]) if each.status), None)
            if failed is None:
                return results[len(left) :]
            self._await(left[failed].found(results[failed].stdout), results[failed].status, waiting)
            left = left[failed + 1 :]
        return self.perform(then) if then else []

    def _await(self, lock: Lock, status: int, waiting: Waiting) -> None:
        if status == locks.GONE:
            raise locks.gone(lock)
        waiting(str(lock), self._holders(lock))
        if self.script(lock.wait, timeout=locks.WAIT + 10.0, name="flock").status:
            raise locks.refusal(lock, self._holders(lock))

    def _holders(self, lock: locks.Lock) -> Sequence[str]:
        return self.script(lock.holders, timeout=60.0).stdout.decode("utf-8", "replace").splitlines()

    def close(self) -> None:
        """Close the input of the shell, so that it ends. A service that a command has started continues."""
        with contextlib.suppress(OSError, ValueError):
            if (self._relays or self._due) and not self._ended:
                os.write(
                    pipe_of(self._process.stdin).fileno(), frames.request([], self._relays, locks.release(self._due))
                )
            pipe_of(self._process.stdin).close()
        try:
            self._process.wait(GRACE)
            self._ended = True
        except subprocess.TimeoutExpired:
            self.kill()
        self._collect()

    def kill(self, *, wait: bool = True) -> None:
        """End the process group of the shell: first with SIGTERM, then SIGKILL; without ``wait``, SIGKILL at once."""
        if not self._ended:
            self._ended = True
            (end_group if wait else abandon_group)(self._start, self._group)
            force_group(self._process.pid)  # the program that leads to the host, such as ssh
        self._collect()

    def _collect(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                pipe_of(pipe).close()

    def _first_words(self) -> int:
        """The process group of the commands on the host; 0 if it is in another PID namespace."""
        hello = pieces.script(f"{frames.PREPARE}echo $group", timeout=_ANSWER)
        frame = hello.frame
        answer = hello.answer(frame)
        try:
            self._exchange([hello], Exchange(self._process, frames.OPEN + frames.request([frame]), [answer]), [answer])
        except CommandFailed:
            said = bytes(answer.out.said + answer.err.said)
            raise no_answer(self.host.name, self.host.prefix, _ANSWER, said) from None
        group = answer.out.output.strip()
        if not group.isdigit():
            self.kill()
            raise self._gone(answer.out.output)
        self._opened = True
        return int(group)

    def _gone(self, said: bytes) -> Unreachable:
        return (broke_off if self._opened else not_reached)(self.host.name, self.host.prefix, said)


def _result(answer: Answer) -> Result:
    return Result(answer.out.status, answer.out.output, answer.err.output, answer.seconds)
