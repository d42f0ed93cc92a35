"""Start a shell on a host; if sudo asks for a password there, answer it.

sudo reads the password from its standard input, and the shell that it starts reads from the same input. So the
password is sent only after sudo has asked for it. If sudo does not ask, the shell would run the password as a command.
"""

from __future__ import annotations

import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from secrets import token_hex

from subfloor.act.connecting import no_answer, not_reached, wrong_password
from subfloor.act.exchange import pipe_of
from subfloor.act.process_group import force_group
from subfloor.act.ssh import is_ssh
from subfloor.core.secret import Secret


@dataclass(frozen=True)
class Password:
    """A password for sudo, and the prompt of sudo. The prompt is random, so no other program prints it."""

    secret: Secret
    prompt: str = field(default_factory=lambda: f"subfloor-{token_hex(8)}:")

    def asking(self, become: Sequence[str]) -> tuple[str, ...]:
        """``become``, with this prompt if it runs sudo, else unchanged: other programs read no password from a pipe."""
        if not become or become[0].rpartition("/")[2] != "sudo":
            return tuple(become)
        others = (word for word in become[1:] if word not in ("-n", "--non-interactive"))
        return (become[0], "-S", "-p", self.prompt, *others)


def start(name: str, prefix: Sequence[str], password: Password | None, seconds: float) -> subprocess.Popen[bytes]:
    """Start ``sh`` by the prefix, in a process group of its own. ``name``: the name of the host.

    With a password, wait up to ``seconds`` until the sh runs. Raises ``OSError``, ``Unreachable``.
    """
    ready = f"subfloor-{token_hex(8)}-ready"
    greeting = f"echo {ready}; exec sh"
    speaking = ("sh", "-c", shlex.quote(greeting) if is_ssh(prefix) else greeting)
    process = subprocess.Popen(
        [*prefix, *(speaking if password else ("sh",))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    if password:
        try:
            _give(process, password, ready.encode(), name, prefix, seconds)
        except BaseException:
            force_group(process.pid)
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe_of(pipe).close()
            process.wait()
            raise
    return process


def _give(
    process: subprocess.Popen[bytes], password: Password, ready: bytes, name: str, prefix: Sequence[str], seconds: float
) -> None:
    said, answered = bytearray(), False
    for data in _output(process, seconds):
        said += data
        if ready in said:
            return
        asked = said.find(password.prompt.encode())
        if asked >= 0 and answered:
            raise wrong_password(name)
        if asked >= 0:
            answered = True
            del said[: asked + len(password.prompt)]
            os.write(pipe_of(process.stdin).fileno(), password.secret.bytes + b"\n")
    if process.poll() is None and not _has_ended(process):
        raise no_answer(name, prefix, seconds, bytes(said))
    raise not_reached(name, prefix, bytes(said))


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        return False
    return True


def _output(process: subprocess.Popen[bytes], seconds: float) -> Iterator[bytes]:
    """The output of the process, until it closes both streams or the seconds have passed."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            selector.register(pipe_of(pipe), selectors.EVENT_READ)
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(1.0):
                if data := os.read(key.fd, 1 << 16):
                    yield data
                else:
                    selector.unregister(key.fileobj)
