"""Write to a shell and read its output at the same time, with limits of time and memory.

A shell may print while it still receives input. Its output must then be read, or both sides wait for ever.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from subfloor.act.frames import ending

MOST = 8 << 20
"""Bytes of a command's output that are kept: this many of its beginning, and this many of its end."""

_CHUNK = 1 << 16


class Stream:
    """The output of a shell on one of its streams, between the marks of a frame.

    ``most``: of a longer output, this many bytes of the beginning and of the end are kept; None: all of it.
    """

    def __init__(self, begin: bytes, end: bytes, most: int | None) -> None:
        self.said = bytearray()
        """Before the begin mark, the last bytes that were read; after it, all output so far."""
        self.relay = 0
        """The process id of the relay that passes the output on."""
        self.begun = False
        self._begin, self._end, self._most, self._left_out = begin, end, most, 0
        self._searched = 0
        self._status: int | None = None

    @property
    def ended(self) -> bool:
        """Whether the end mark has been read."""
        return self._status is not None

    @property
    def printed(self) -> bool:
        """Whether any output has been read after the begin mark."""
        return self.begun and bool(self.said)

    def extend(self, data: bytes) -> bytes:
        """Add bytes that were read; returns those after the end mark."""
        self.said += data
        if not self.begun:
            self._look_for_the_beginning()
        return self._look_for_the_end() if self.begun else b""

    def _look_for_the_beginning(self) -> None:
        _, begin, rest = bytes(self.said).partition(self._begin)
        relay, line, body = rest.partition(b"\n")
        if begin and line and relay.isdigit():
            self.begun, self.relay, self.said = True, int(relay), bytearray(body)
        elif not begin:
            del self.said[:-4096]

    def _look_for_the_end(self) -> bytes:
        at = self.said.find(self._end, self._searched)
        status, line, rest = bytes(self.said[at + len(self._end) :]).partition(b"\n") if at >= 0 else (b"", b"", b"")
        if line:
            self._status = int(status)
            del self.said[at:]
            return rest
        if at < 0:
            if self._most and len(self.said) > 3 * self._most:
                self._left_out += len(self.said) - 2 * self._most
                del self.said[self._most : -self._most]
            self._searched = max(0, len(self.said) - len(self._end))
        return b""

    @property
    def status(self) -> int:
        """The exit status; valid only after the end."""
        return self._status or 0

    @property
    def output(self) -> bytes:
        """The output; valid only after the end."""
        body, left_out = bytes(self.said), f"\n[{self._left_out} bytes left out]\n".encode()
        if self._left_out and self._most:
            body = body[: self._most] + left_out + body[self._most :]
        return body


class Gone(Exception):
    """The shell has closed a stream."""


@dataclass
class Answer:
    """The answer to one frame: its output on both streams, and the exit statuses after which the next frame runs."""

    out: Stream
    err: Stream
    accepts: frozenset[int] = frozenset()
    seconds: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether both streams have been read to their end."""
        return self.out.ended and self.err.ended

    @property
    def went_well(self) -> bool:
        """Whether the frame ended with a status after which the next frame runs."""
        return self.ended and self.out.status in {0, *self.accepts}

    @property
    def relays(self) -> tuple[int, ...]:
        """The process ids of the relays."""
        return tuple(stream.relay for stream in (self.out, self.err) if stream.relay)


_STALLED = 1.0
"""Seconds in which the next frame must begin. If it does not, a program keeps the relays of the one before open."""


class Exchange:
    """One request written to a shell, and the answers to its frames."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes, answers: Sequence[Answer]) -> None:
        self._stdin, self._stdout, self._stderr = (
            pipe_of(each) for each in (process.stdin, process.stdout, process.stderr)
        )
        self._left = memoryview(data)
        self._answers = answers
        self._unread = {
            self._stdout.fileno(): deque(answer.out for answer in answers),
            self._stderr.fileno(): deque(answer.err for answer in answers),
        }
        self._since = 0.0
        self._stall_ended = False
        self.at = 0
        """The number of the frame that runs; after the end, the number of frames that have ended."""
        self.latest = answers[0].out
        """The stream with the latest output."""

    def run(self, advanced: Callable[[], None], each_second: Callable[[float], None]) -> None:
        """Continue until the last frame has ended, or a frame has ended with a status that it does not accept.

        ``advanced`` is called when a frame has ended. ``each_second`` is called at least once per second with the
        seconds since the current frame began. An exception from either function ends the exchange. Raises ``Gone``.
        """
        self._since = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for pipe in (self._stdout, self._stderr):
                selector.register(pipe, selectors.EVENT_READ)
            selector.register(self._stdin, selectors.EVENT_WRITE)
            while self._left or not self._finished:
                for key, _ in selector.select(1.0):
                    if key.fd == self._stdin.fileno():
                        self._write(selector)
                    else:
                        self._read(key.fd)
                while not self._finished and self._answers[self.at].ended:
                    self._advance(advanced)
                if not self._finished:
                    self._end_stall(selector)
                    each_second(time.monotonic() - self._since)

    def rest(self) -> list[bytes]:
        """The output that can still be read after the shell closed a stream: the other one often shows the reason."""
        read: list[bytes] = []
        for pipe in (self._stdout, self._stderr):
            with selectors.DefaultSelector() as selector:
                selector.register(pipe, selectors.EVENT_READ)
                while len(read) < 32 and selector.select(_STALLED) and (data := os.read(pipe.fileno(), _CHUNK)):
                    read.append(data)
        return read

    @property
    def _finished(self) -> bool:
        return self.at == len(self._answers) or (self.at > 0 and not self._answers[self.at - 1].went_well)

    def _advance(self, advanced: Callable[[], None]) -> None:
        now = time.monotonic()
        self._answers[self.at].seconds = now - self._since
        self.at, self._since, self._stall_ended = self.at + 1, now, False
        self.latest = self._answers[min(self.at, len(self._answers) - 1)].out
        advanced()

    def _end_stall(self, selector: selectors.BaseSelector) -> None:
        """End the relays of the last frame if the next frame does not begin: a program that runs on keeps them open."""
        last = self._answers[self.at - 1] if self.at else None
        if not last or self._stall_ended or self._answers[self.at].out.begun or self._left:
            return
        if last.relays and time.monotonic() - self._since > _STALLED:
            self._stall_ended, self._left = True, memoryview(ending(last.relays))
            selector.register(self._stdin, selectors.EVENT_WRITE)

    def _write(self, selector: selectors.BaseSelector) -> None:
        try:
            self._left = self._left[os.write(self._stdin.fileno(), self._left[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # the shell has ended; its output may say why, so it is still read
            self._left = self._left[:0]
        if not self._left:
            selector.unregister(self._stdin)

    def _read(self, descriptor: int) -> None:
        data = os.read(descriptor, _CHUNK)
        if not data:
            raise Gone
        streams = self._unread[descriptor]
        while data and streams:
            stream = streams[0]
            data = stream.extend(data)
            if stream.printed:  # its mark alone is no output
                self.latest = stream
            if stream.ended:
                streams.popleft()


def pipe_of(pipe: IO[bytes] | None) -> IO[bytes]:
    """A pipe of a process that was started with pipes, so never None."""
    assert pipe is not None
    return pipe
