"""Run commands somewhere: one POSIX shell held open on the host, whatever way leads to it.

Local, ssh, sudo and chroot differ only in the argv that starts ``sh`` there. Commands are fed to it
one by one, so a command costs no new session; and when the runner dies, the shell reads the end of
its input and ends after the command that is running, which still holds the lock it inherited.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, NoReturn

from subfloor import locks
from subfloor.endgroup import GRACE, end_group, force_group
from subfloor.errors import CommandFailed, Unreachable

# LOCK_BLOCK_DEVICE would make util-linux wait for the very lock that is held for it.
_PREPARE = """unset LANG LANGUAGE LC_ALL LOCK_BLOCK_DEVICE
export LC_ALL=C TZ=UTC0 PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022; cd /
"""

Tick = Callable[[float, str], None]
"""Is told about once a second how many have passed, and the last line that the command has printed."""

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
        self._mark = secrets.token_hex(16).encode()
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
        words = [*(f"{name}={shlex.quote(value)}" for name, value in (env or {}).items()), shlex.join(argv)]
        return self.script(f"{_fed(stdin)} {' '.join(words)}", timeout=timeout, tick=tick, name=argv[0])

    def script(self, text: str, *, timeout: float, tick: Tick | None = None, name: str = "sh") -> Result:
        """Run a complete piece of sh in this shell. Raises as ``run`` does."""
        mark = self._mark.decode()
        framed = f"{text}\nprintf '\\n%s %d\\n' {mark} $?; printf '\\n%s\\n' {mark} >&2\n"
        try:
            self._write(framed.encode("utf-8", "surrogateescape"))
            return self._read(time.monotonic(), timeout, tick, name)
        except BaseException:
            self.kill()
            raise

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
            self._pipe(self._process.stdin).close()
        try:
            self._process.wait(GRACE)
            self._ended = True
        except subprocess.TimeoutExpired:
            self.kill()
        self._collect()

    def kill(self) -> None:
        """End whatever runs, with its process group: first asked, then forced."""
        if not self._ended:
            self._ended = True
            end_group(self.host.prefix, self._group)
            force_group(self._process.pid)  # what led there, such as ssh
        self._collect()

    def _collect(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                self._pipe(pipe).close()

    def _first_words(self) -> int:
        """The process group that commands run in there; 0 where it is of another PID namespace."""
        ask = f"{_PREPARE}read -r line < /proc/$$/stat; set -- ${{line##*) }}; echo; echo $3"
        said = self.script(ask, timeout=60.0).stdout
        # Whatever leads there may have greeted first.
        group = said.strip().rpartition(b"\n")[2].strip()
        if not group.isdigit():
            self.kill()
            raise self._gone(said)
        return int(group)

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe

    def _write(self, data: bytes) -> None:
        stdin = self._pipe(self._process.stdin)
        try:
            stdin.write(data)
            stdin.flush()
        except (OSError, ValueError) as error:
            raise self._gone(b"") from error

    def _is_gone(self, said: bytearray) -> NoReturn:
        raise self._gone(bytes(said))

    def _read(self, start: float, timeout: float, tick: Tick | None, name: str) -> Result:
        out, err = bytearray(), bytearray()
        latest, told = out, 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe(self._process.stdout), selectors.EVENT_READ, out)
            selector.register(self._pipe(self._process.stderr), selectors.EVENT_READ, err)
            while not (_ended(out, self._mark) and _ended(err, self._mark)):
                for key, _ in selector.select(1.0):
                    latest = key.data
                    latest.extend(os.read(key.fd, 1 << 16) or self._is_gone(err))
                elapsed = time.monotonic() - start
                if elapsed > timeout:
                    raise _overdue(name, timeout, latest)
                if tick and elapsed >= told + 1:
                    told = elapsed
                    tick(elapsed, _last_line(latest))
        body, _, status = bytes(out).rpartition(b"\n" + self._mark + b" ")
        return Result(int(status), body, bytes(err).rpartition(b"\n" + self._mark)[0])

    def _gone(self, said: bytes) -> Unreachable:
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
        return Unreachable(
            f"the shell on {self.host.name} ended ({last[0]})",
            advice=f"see that `{shlex.join([*self.host.prefix, 'sh'])}` works; then run the same command again",
        )


def _overdue(name: str, timeout: float, said: bytearray) -> CommandFailed:
    last = _last_line(said)
    return CommandFailed(
        f"{name} did not end within {timeout:.0f} s, and was ended"
        + (f"; the last that it printed: {last}" if last else ""),
        advice="see what it waits for; then run the same command again: it goes on from what is there",
    )


def _last_line(said: bytearray) -> str:
    """The last line that is not empty; a program that shows its progress goes back to the start of one."""
    lines = bytes(said[-4096:]).decode("utf-8", "replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _ended(stream: bytearray, mark: bytes) -> bool:
    tail = bytes(stream[-len(mark) - 16 :])
    return tail.endswith(b"\n") and b"\n" + mark in tail


def _fed(stdin: bytes) -> str:
    """What puts these bytes on the next command's standard input.

    The shell's own printf writes them, so that they are in no process's argv.
    """
    if not stdin:
        return "</dev/null"
    return f"printf '{''.join(map(_octal, stdin))}' |"


def _octal(byte: int) -> str:
    char = chr(byte)
    return char if char.isascii() and (char.isalnum() or char in " .,:=/_") else f"\\{byte:03o}"
