"""Write to a shell and read its output at the same time, with limits of time and memory.

A shell may print while it still receives input. Its output must then be read, or both sides wait for ever.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from typing import IO

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
        """Whether the end has been read."""
        return self._status is not None

    def extend(self, data: bytes) -> None:
        """Add bytes that were read. Bytes after the end mark are ignored."""
        if self.ended:
            return
        self.said += data
        if not self.begun:
            self._look_for_the_beginning()
        if self.begun:
            self._look_for_the_end()

    def _look_for_the_beginning(self) -> None:
        _, begin, rest = bytes(self.said).partition(self._begin)
        relay, line, body = rest.partition(b"\n")
        if begin and line and relay.isdigit():
            self.begun, self.relay, self.said = True, int(relay), bytearray(body)
        elif not begin:
            del self.said[:-4096]

    def _look_for_the_end(self) -> None:
        at = self.said.find(self._end, self._searched)
        status, line, _ = bytes(self.said[at + len(self._end) :][:16]).partition(b"\n") if at >= 0 else (b"", b"", b"")
        if line:
            self._status = int(status)
            del self.said[at:]
        elif at < 0:
            if self._most and len(self.said) > 3 * self._most:
                self._left_out += len(self.said) - 2 * self._most
                del self.said[self._most : -self._most]
            self._searched = max(0, len(self.said) - len(self._end))

    @property
    def result(self) -> tuple[bytes, int]:
        """The output and the exit status; valid only after the end."""
        body, left_out = bytes(self.said), f"\n[{self._left_out} bytes left out]\n".encode()
        if self._left_out and self._most:
            body = body[: self._most] + left_out + body[self._most :]
        return body, self._status or 0


class Gone(Exception):
    """The shell has closed a stream."""


class Exchange:
    """One frame written to a shell, and its answer."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes, out: Stream, err: Stream) -> None:
        self._stdin, self._stdout, self._stderr = (
            pipe_of(each) for each in (process.stdin, process.stdout, process.stderr)
        )
        self._left = memoryview(data)
        self._out, self._err = out, err
        self.latest = out
        """The stream with the latest output."""

    def run(self, each_second: Callable[[float], None]) -> None:
        """Continue until both streams have ended. ``each_second`` is called at least once per second with the seconds
        since the start; an exception from it ends this. Raises ``Gone``."""
        start = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ, self._out)
            selector.register(self._stderr, selectors.EVENT_READ, self._err)
            selector.register(self._stdin, selectors.EVENT_WRITE)
            while self._left or not (self._out.ended and self._err.ended):
                for key, _ in selector.select(1.0):
                    if key.data is None:
                        self._write(selector)
                    else:
                        self._read(key.fd, key.data)
                each_second(time.monotonic() - start)

    def _write(self, selector: selectors.BaseSelector) -> None:
        try:
            self._left = self._left[os.write(self._stdin.fileno(), self._left[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # the shell has ended; its output may say why, so it is still read
            self._left = self._left[:0]
        if not self._left:
            selector.unregister(self._stdin)

    def _read(self, descriptor: int, stream: Stream) -> None:
        data = os.read(descriptor, _CHUNK)
        if not data:
            raise Gone
        self.latest = stream
        stream.extend(data)


def pipe_of(pipe: IO[bytes] | None) -> IO[bytes]:
    """A pipe of a process that was started with pipes, so never None."""
    assert pipe is not None
    return pipe
