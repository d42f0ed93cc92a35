"""Run commands somewhere: one POSIX shell held open on the host, whatever way leads to it.

Local, ssh, sudo and chroot differ only in the argv that starts ``sh`` there. Commands are fed to it
one by one, so a command costs no new session; and when the runner dies, the shell reads the end of
its input and ends. The command that is running goes on to its end, and holds the lock it inherited.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from subfloor.act import frames, locks
from subfloor.act.exchange import MOST, Exchange, Gone, Stream, pipe_of
from subfloor.act.frames import Frame
from subfloor.act.process_group import GRACE, abandon_group, end_group, force_group
from subfloor.core.errors import CommandFailed, Unreachable

Tick = Callable[[float, str], None]
"""Is told about once a second how many have passed, and the last line that the command has printed."""

Watch = Callable[[bytearray], None]
"""Is told about once a second, and whenever there is more, what a piece of sh has printed. What it raises ends that."""

Waiting = Callable[[str, Sequence[str]], None]
"""Is told what is locked, and by whom, before that is waited for."""


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it printed."""

    status: int
    stdout: bytes
    stderr: bytes


_SSH_OPTIONS = (
    "LogLevel=ERROR",
    "BatchMode=yes",  # there is no terminal to type a password on
    "ConnectTimeout=15",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
)


def over_ssh(address: str, *, user: str | None = None, port: int | None = None) -> tuple[str, ...]:
    """The argv that leads to a host through OpenSSH; the rest is as ssh_config(5) has it."""
    options = [word for option in _SSH_OPTIONS for word in ("-o", option)]
    to = [*(("-l", user) if user else ()), *(("-p", str(port)) if port else ())]
    return ("ssh", "-T", *options, *to, "--", address)


@dataclass(frozen=True)
class Host:
    """A machine to run commands on: its name in the inventory, and the argv that leads to it."""

    name: str = "localhost"
    prefix: tuple[str, ...] = ()

    @contextlib.contextmanager
    def shell(self) -> Iterator[Shell]:
        """A shell there, closed at the end. Raises ``Unreachable``."""
        shell = Shell(self)
        try:
            yield shell
        finally:
            shell.close()


class Shell:
    """A held-open ``sh``. What it runs ends with it: no command outlives an interrupted run."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._relays: tuple[int, ...] = ()
        try:
            self._process = subprocess.Popen(
                [*host.prefix, "sh"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise Unreachable(
                f"{host.name}: {error}", advice="see the connection's settings in the inventory"
            ) from error
        os.set_blocking(pipe_of(self._process.stdin).fileno(), False)
        self._group, self._ended = 0, False
        self._group = self._first_words()

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 600.0,
        env: Mapping[str, str] | None = None,
        tick: Tick | None = None,
    ) -> Result:
        """Run one command and wait for its end.

        ``timeout`` in seconds; ``env`` is added to its environment.
        Raises ``CommandFailed`` when it does not end in time (its process group is ended, and this
        shell with it), ``Unreachable`` when the shell is gone.
        """
        frame, limits = Frame(frames.command(argv, stdin, env or {})), _Limits(timeout, argv[0], tick=tick, most=MOST)
        return self._exchange(frame, frame.apart(self._relays), limits)

    def look(self, text: str, *, timeout: float, watch: Watch) -> bytes:
        """Run a piece of sh that changes nothing, and say what it prints, all of it.

        Where ``watch`` raises something, or anything else ends this, it is left to itself: what reads from a
        device that no longer answers cannot be ended, and does no harm. Raises as ``run`` does.
        """
        frame, limits = Frame(text), _Limits(timeout, "the look", watch=watch, reads_only=True)
        return self._exchange(frame, frame.looking(self._relays), limits).stdout

    def script(self, text: str, *, timeout: float, name: str = "sh") -> Result:
        """Run a piece of sh of our own in the shell itself. Raises as ``run`` does."""
        frame = Frame(text)
        return self._exchange(frame, frame.in_shell(self._relays), _Limits(timeout, name))

    def _exchange(self, frame: Frame, data: bytes, limits: _Limits) -> Result:
        out, err = (Stream(frame.begin, frame.end, limits.most) for _ in range(2))
        exchange = Exchange(self._process, data, out, err)
        try:
            exchange.run(lambda seconds: limits.hold(seconds, exchange.latest, out))
        except Gone:
            self.kill()
            raise self._gone(bytes(err.said)) from None
        except BaseException:
            self.kill(wait=not limits.reads_only)
            raise
        self._relays = tuple(stream.relay for stream in (out, err) if stream.relay)
        (stdout, status), (stderr, _) = out.result, err.result
        return Result(status, stdout, stderr)

    @contextlib.contextmanager
    def locked(self, devices: Sequence[str], waiting: Waiting = lambda path, holders: None) -> Iterator[None]:
        """Hold an exclusive flock(2) on device nodes, or without any on the machine; every command inherits it.

        Read-only descriptors, since closing a writable one makes udev look at the disk again.
        Raises ``Refused`` where somebody else holds one for longer than 20 s.
        """
        held: list[locks.Lock] = []
        try:
            for lock in locks.of_disks(devices) or [self._machine_lock()]:
                held.append(lock)
                self._lock(lock, waiting)
            yield
        finally:
            if not self._ended:
                self.script("; ".join(lock.release for lock in held), timeout=GRACE)

    def _lock(self, lock: locks.Lock, waiting: Waiting) -> None:
        taken = self.script(lock.take, timeout=GRACE, name="flock").status
        if taken == locks.GONE:
            raise locks.gone(lock)
        if not taken:
            return
        waiting(str(lock), self._holders(lock))
        if self.script(lock.wait, timeout=locks.WAIT + 10.0, name="flock").status:
            raise locks.refusal(lock, self._holders(lock))

    def _machine_lock(self) -> locks.Lock:
        return locks.of_machine(
            self.script(locks.FIND_MACHINE, timeout=GRACE).stdout.decode("utf-8", "surrogateescape")
        )

    def _holders(self, lock: locks.Lock) -> Sequence[str]:
        return self.script(lock.holders, timeout=60.0).stdout.decode("utf-8", "replace").splitlines()

    def close(self) -> None:
        """End the shell by the end of its input. A service that a command has started stays."""
        with contextlib.suppress(OSError, ValueError):
            if self._relays and not self._ended:
                os.write(pipe_of(self._process.stdin).fileno(), Frame(":").in_shell(self._relays))
            pipe_of(self._process.stdin).close()
        try:
            self._process.wait(GRACE)
            self._ended = True
        except subprocess.TimeoutExpired:
            self.kill()
        self._collect()

    def kill(self, *, wait: bool = True) -> None:
        """End whatever runs, with its process group: first asked, then forced; without ``wait``, forced at once."""
        if not self._ended:
            self._ended = True
            (end_group if wait else abandon_group)(self.host.prefix, self._group)
            force_group(self._process.pid)  # what led there, such as ssh
        self._collect()

    def _collect(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                pipe_of(pipe).close()

    def _first_words(self) -> int:
        """The process group that commands run in there; 0 where it is of another PID namespace."""
        ask = f"{frames.PREPARE}echo $group"
        said = self.script(ask, timeout=60.0).stdout
        group = said.strip()
        if not group.isdigit():
            self.kill()
            raise self._gone(said)
        return int(group)

    def _gone(self, said: bytes) -> Unreachable:
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it printed nothing"]
        return Unreachable(
            f"the shell on {self.host.name} ended ({last[0]})",
            advice=f"see that `{shlex.join([*self.host.prefix, 'sh'])}` works; then run the same command again",
        )


@dataclass
class _Limits:
    """How long something may take, in seconds, how much of its output is kept, and who is told meanwhile."""

    timeout: float
    name: str
    tick: Tick | None = None
    watch: Watch | None = None
    most: int | None = None
    reads_only: bool = False
    told: float = 0.0

    def hold(self, seconds: float, latest: Stream, out: Stream) -> None:
        """Raises ``CommandFailed`` where it takes too long, and what ``watch`` does."""
        if seconds > self.timeout:
            raise _overdue(self.name, self.timeout, latest.said)
        if self.watch and out.begun:
            self.watch(out.said)
        if self.tick and seconds >= self.told + 1:
            self.told = seconds
            self.tick(seconds, _last_line(latest.said))


def _overdue(name: str, timeout: float, said: bytearray) -> CommandFailed:
    last = _last_line(said)
    return CommandFailed(
        f"{name} did not end within {timeout:.0f} s, and was ended"
        + (f"; the last that it printed: {last}" if last else ""),
        advice="find out what it waits for; then run the same command again to resume",
    )


def _last_line(said: bytearray) -> str:
    """The last line that is not empty; a program that shows its progress goes back to the start of one."""
    lines = bytes(said[-4096:]).decode("utf-8", "replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
