"""Run commands on a host through one POSIX shell that stays open.

Local, ssh, sudo and chroot differ only in the argv that starts ``sh`` there. Commands are sent to it one by one,
so a command needs no new session. If subfloor is killed, the shell reads the end of its input and ends; the
command that is running continues to its end and keeps the lock that it inherited.
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
"""Called about once a second with the seconds since the start and the last line that the command printed."""

Watch = Callable[[bytearray], None]
"""Called about once a second, and on new output, with all output of a piece of sh. An exception from it ends the sh."""

Waiting = Callable[[str, Sequence[str]], None]
"""Called before waiting for a lock, with the name of the lock and its holders."""


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
    """The argv that leads to a host through OpenSSH; all other settings come from ssh_config(5)."""
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
        """A shell on the host, closed at the end. Raises ``Unreachable``."""
        shell = Shell(self)
        try:
            yield shell
        finally:
            shell.close()


class Shell:
    """An open ``sh`` on a host. ``kill`` also ends what it runs: no command outlives an interrupted run."""

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
                f"{host.name}: {error}", advice="check the connection's settings in the inventory"
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
        Raises ``CommandFailed`` if it does not end in time (its process group is ended, and this
        shell with it), ``Unreachable`` if the shell has ended.
        """
        frame, limits = Frame(frames.command(argv, stdin, env or {})), _Limits(timeout, argv[0], tick=tick, most=MOST)
        return self._exchange(frame, frame.apart(self._relays), limits)

    def look(self, text: str, *, timeout: float, watch: Watch) -> bytes:
        """Run a piece of sh that changes nothing; returns all of its output.

        If ``watch`` raises an error, or anything else ends this call, it does not wait for the end of the sh: a read
        from a device that no longer answers cannot be ended, and does no harm. Raises as ``run`` does.
        """
        frame, limits = Frame(text), _Limits(timeout, "the look", watch=watch, reads_only=True)
        return self._exchange(frame, frame.looking(self._relays), limits).stdout

    def script(self, text: str, *, timeout: float, name: str = "sh") -> Result:
        """Run a piece of subfloor's own sh in the shell itself. Raises as ``run`` does."""
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
        """Hold an exclusive flock(2) on device nodes, or on the machine if there are none; every command inherits it.

        The descriptors are read-only, since closing a writable one makes udev probe the disk again.
        Raises ``Refused`` if another program holds a lock for longer than 20 s.
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
        """Close the input of the shell, so that it ends. A service that a command has started continues."""
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
        """End the process group of the shell: first with SIGTERM, then SIGKILL; without ``wait``, SIGKILL at once."""
        if not self._ended:
            self._ended = True
            (end_group if wait else abandon_group)(self.host.prefix, self._group)
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
        frame = Frame(f"{frames.PREPARE}echo $group")
        said = self._exchange(frame, frames.OPEN + frame.in_shell(), _Limits(60.0, "sh")).stdout
        group = said.strip()
        if not group.isdigit():
            self.kill()
            raise self._gone(said)
        return int(group)

    def _gone(self, said: bytes) -> Unreachable:
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it printed nothing"]
        return Unreachable(
            f"the shell on {self.host.name} ended ({last[0]})",
            advice=f"check that `{shlex.join([*self.host.prefix, 'sh'])}` works; then run the same command again",
        )


@dataclass
class _Limits:
    """The time limit in seconds, how many bytes of output are kept, and the functions to call meanwhile."""

    timeout: float
    name: str
    tick: Tick | None = None
    watch: Watch | None = None
    most: int | None = None
    reads_only: bool = False
    told: float = 0.0

    def hold(self, seconds: float, latest: Stream, out: Stream) -> None:
        """Call ``watch`` and ``tick``. Raises ``CommandFailed`` if it takes too long, and what ``watch`` raises."""
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
        f"{name} did not end within {timeout:.0f} s and was stopped" + (f"; its last output: {last}" if last else ""),
        advice="find out what it waits for; then run the same command again to resume",
    )


def _last_line(said: bytearray) -> str:
    """The last line that is not empty; a program that shows progress returns to the start of the line."""
    lines = bytes(said[-4096:]).decode("utf-8", "replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
