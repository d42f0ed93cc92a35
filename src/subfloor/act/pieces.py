"""Pieces of a request to a shell: sh with its limits, and the functions to call while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from subfloor.act import frames
from subfloor.act.exchange import MOST, Answer, Stream
from subfloor.act.frames import Frame, Way
from subfloor.core.errors import CommandFailed

Tick = Callable[[float, str], None]
"""Called about once a second with the seconds since the start and the last line that the command printed."""

Watch = Callable[[bytearray], None]
"""Called about once a second, and on new output, with all output of a piece of sh. If it raises, the sh is ended."""


@dataclass(frozen=True)
class Result:
    """How a command ended, what it printed, and the seconds that it took."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float = 0.0


def _nothing() -> None:
    """Do nothing."""


def _ignore(result: Result) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Piece:
    """One piece of sh of a request.

    ``timeout``: seconds that it may take. ``accepts``: the exit statuses besides 0 after which the next piece runs.
    ``most``: how many bytes of the beginning and of the end of its output are kept; None: all. ``reads_only``: if it is
    ended early, nothing waits until it has ended. ``begun`` and ``ended`` are called when it begins and when it has
    ended, or both after the end, if the whole request is one script.
    """

    name: str
    text: str
    way: Way
    timeout: float
    accepts: frozenset[int] = frozenset()
    most: int | None = None
    reads_only: bool = False
    tick: Tick | None = None
    watch: Watch | None = None
    begun: Callable[[], None] = _nothing
    ended: Callable[[Result], None] = _ignore

    @property
    def frame(self) -> Frame:
        """A new frame for this piece, with a new mark."""
        return Frame(self.text, self.way, self.accepts)

    def answer(self, frame: Frame) -> Answer:
        """An empty answer, which receives the output of the frame."""
        out, err = (Stream(frame.begin, frame.end, self.most) for _ in range(2))
        return Answer(out, err, self.accepts)

    def hold(self, seconds: float, latest: Stream, out: Stream) -> None:
        """Call ``watch`` and ``tick``. Raises ``CommandFailed`` if the piece takes too long, and ``watch``'s errors."""
        if seconds > self.timeout:
            raise _overdue(self.name, self.timeout, latest.said)
        if self.watch and out.begun:
            self.watch(out.said)
        if self.tick:
            self.tick(seconds, last_line(latest.said))


def command(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float = 600.0,
    env: Mapping[str, str] | None = None,
    accepts: frozenset[int] = frozenset(),
    tick: Tick | None = None,
    begun: Callable[[], None] = _nothing,
    ended: Callable[[Result], None] = _ignore,
) -> Piece:
    """One command. ``env`` is added to its environment."""
    text = frames.command(argv, stdin, env or {})
    return Piece(argv[0], text, "apart", timeout, accepts, MOST, tick=tick and _spaced(tick), begun=begun, ended=ended)


def _spaced(tick: Tick) -> Tick:
    """A function that calls ``tick`` at most once a second, even if it is called more often."""
    told = 0.0

    def spaced(seconds: float, says: str) -> None:
        nonlocal told
        if seconds >= told + 1:
            told = seconds
            tick(seconds, says)

    return spaced


def script(text: str, *, timeout: float, name: str = "sh") -> Piece:
    """subfloor's own sh, for the shell itself; it leaves no process behind."""
    return Piece(name, text, "in_shell", timeout)


def reading(text: str, *, timeout: float, watch: Watch) -> Piece:
    """sh that changes nothing. If an error or an interrupt ends it, nothing waits until it has ended: a read from a
    device that no longer answers cannot be ended, and does no harm."""
    return Piece("the look", text, "looking", timeout, watch=watch, reads_only=True)


def _overdue(name: str, timeout: float, said: bytearray) -> CommandFailed:
    last = last_line(said)
    return CommandFailed(
        f"{name} did not end within {timeout:.0f} s and was stopped" + (f"; its last output: {last}" if last else ""),
        advice="find out what it waits for; then run the same command again to resume",
    )


def last_line(said: bytes | bytearray) -> str:
    """The last line that is not empty. A carriage return ends a line too, since it separates messages of progress."""
    lines = bytes(said[-4096:]).decode("utf-8", "replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
