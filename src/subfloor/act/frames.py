"""Frames: the pieces of sh that are sent to the open shell, which run completely or not at all.

A frame is one compound command, ``{ … }``. A shell parses a compound command to its end before it runs any of
it (POSIX.1, XCU 2.9.4). So a frame that lost its end with the connection is a syntax error and does nothing.

Several frames may be sent as one request, which is one compound command too. The shell runs each frame only if the
frame before has succeeded: it ended with 0, or with another status that it accepts.

A command writes to pipes of its own. From each pipe a ``cat``, the relay, reads the output and passes it on. The next
frame starts when the relays have ended. A program that a command has left running keeps the relays from ending; then
the runner kills the relays. So the output of that program never gets into the output of a later command.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

# The shell's own messages are discarded: bash reports a background job that was killed, with its text, at whatever
# command comes next. In the middle of an answer that would be mistaken for output, and the text may hold a passphrase.
OPEN = b"{ exec 4>&2 2>/dev/null\n}\n"
"""The first line for every shell: descriptor 4 becomes the stream for the standard error of commands."""

# LOCK_BLOCK_DEVICE would make util-linux wait for the lock that this shell holds for it. Another process may have
# the number of a relay that has ended, so a relay is ended only if it is in this shell's process group.
PREPARE = """unset LANG LANGUAGE LC_ALL LOCK_BLOCK_DEVICE
export LC_ALL=C TZ=UTC0 PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022; cd /
read -r line < /proc/$$/stat; set -- ${line##*) }; group=$3
kill_relays() {
    for relay do
        line=; read -r line 2>/dev/null < "/proc/$relay/stat" || :
        set -- ${line##*) }
        [ "${3-}" != "$group" ] || kill -s KILL "$relay" 2>/dev/null
    done
}
end_relays() { kill_relays "$@"; wait; }
"""
"""Prepares the shell; afterwards ``$group`` is its process group, 0 if that is in another PID namespace."""

# Relays hold no lock: descriptors 5 to 9 are those of locks. They ignore SIGTERM, since a command that gets
# SIGTERM may still print while it cleans up. /proc/self is the process that opens it: the subshell that becomes cat.
_RELAY = (
    "{{ trap '' TERM; read -r relay _ < /proc/self/stat; echo $relay; exec {passes_on}; }} "
    "2>/dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-"
)

Way = Literal["in_shell", "apart", "looking"]
"""How a frame runs. ``in_shell``: in the shell itself, which it may change; it must leave no process behind.
``apart``: in a subshell, with relays for both output streams. ``looking``: in a subshell, with a relay for standard
output; standard error is discarded."""


@dataclass(frozen=True)
class Frame:
    """One piece of sh, and a random mark that separates its output from everything else.

    ``accepts``: the exit statuses besides 0 after which the next frame of the same request runs. ``alone``: nobody can
    end the frame's relays. So they end at the end mark, even if a program that was left running could still print.
    """

    text: str
    way: Way
    accepts: frozenset[int] = frozenset()
    mark: str = field(default_factory=lambda: secrets.token_hex(16))
    alone: bool = False

    @property
    def sh(self) -> str:
        """The frame as sh that sets ``$status``."""
        ways = {"in_shell": self._in_shell, "apart": self._apart, "looking": self._looking}
        return ways[self.way]()

    def _in_shell(self) -> str:
        began = f"{self._began()}; {self._began('>&4')}"
        return f"{began}\n{{ {self.text}\n}} 2>&4 4>&-\n{self._ended} >&4\n"

    # Descriptors: the command's output goes to the outer relay, its standard error to the inner one. The status goes
    # through descriptor 3 to a command substitution, which ends when command and relays have ended. 4 is the stream
    # for standard error, until the outer pipe takes its place.
    def _apart(self) -> str:
        began = f"{self._began(relay='')} || exit; {self._began('>&4', relay='')}"
        run = f"{{ {{ {self.text}\n}} 3>&- 4>&-\n{self._ended} >&2; echo $status >&3; }}"
        with_errors = f"{{ {run} 2>&1 >&4 | {{ {self._relay}; }} >&2; }} 2>&4 4>&1"
        return f"{began}\n{{ status=$({{ {with_errors} | {self._relay}; }} 2>&1 >&3 3>&2 2>/dev/null); }} 3>&1\n"

    def _looking(self) -> str:
        began = f"{self._began(relay='')} || exit; {self._began('>&4')}"
        text = f"{{ {self.text}\n}} 2>/dev/null 4>&-\n{self._ended} >&4"
        return f"{began}\n{{ {text}\n}} | {self._relay}\nstatus=0\n"

    @property
    def _relay(self) -> str:
        return _RELAY.format(passes_on=f"sed '/^{self.mark} [0-9]*$/q'" if self.alone else "cat")

    def _began(self, to: str = "", relay: str = "0\\n") -> str:
        return f"printf '\\n%s begin\\n{relay}' {self.mark} {to}"

    @property
    def _ended(self) -> str:
        return f"status=$?; printf '\\n%s %d\\n' {self.mark} $status; printf '\\n%s 0\\n' {self.mark}"

    @property
    def begin(self) -> bytes:
        """The bytes at the beginning of both streams. The relay's process id follows them, then the output."""
        return f"\n{self.mark} begin\n".encode()

    @property
    def end(self) -> bytes:
        """The bytes after the output on both streams. The exit status follows them."""
        return f"\n{self.mark} ".encode()


def request(frames: Sequence[Frame], relays: Sequence[int] = (), first: str = "") -> bytes:
    """The bytes that run frames one after another, until one ends with a status that it does not accept.

    Frames that run in the shell itself must come first. The others run in the background, so the shell can read the
    next request meanwhile. ``relays``: the process ids of the last request's relays, which are ended at the start.
    ``first``: sh that runs before all frames.
    """
    apart = [frame for frame in frames if frame.way != "in_shell"]
    text = f"{{ {''.join(map(or_exit, apart))}}} &\n" if apart else ":\n"
    for frame in reversed(frames[: len(frames) - len(apart)]):
        text = f"{frame.sh}case $status in {_accepted(frame)})\n{text};; esac\n"
    return _encoded(f"{{ {_ending(relays)}{first}\n{text}}}\n")


def or_exit(frame: Frame) -> str:
    """The frame as sh that ends the shell, unless it ends with a status that it accepts."""
    return f"{frame.sh}case $status in {_accepted(frame)}) ;; *) exit;; esac\n"


def _accepted(frame: Frame) -> str:
    return "|".join(map(str, sorted({0, *frame.accepts})))


def ending(relays: Sequence[int]) -> bytes:
    """The bytes that kill relays while a request runs, because programs that were left behind keep them from ending."""
    return _encoded(f"{{ kill_relays {' '.join(map(str, relays))}\n}}\n")


def command(argv: Sequence[str], stdin: bytes, env: Mapping[str, str]) -> str:
    """One simple command as sh."""
    words = [*(f"{name}={shlex.quote(value)}" for name, value in env.items()), shlex.join(argv)]
    return f"{_fed(stdin)} {' '.join(words)}"


def _ending(relays: Sequence[int]) -> str:
    return f"end_relays {' '.join(map(str, relays))}\n" if relays else ""


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _fed(stdin: bytes) -> str:
    """The sh that feeds these bytes to the next command's standard input.

    The shell's builtin printf writes them, so they appear in no process's argv.
    """
    if not stdin:
        return "</dev/null"
    return f"printf '{''.join(map(_octal, stdin))}' |"


def _octal(byte: int) -> str:
    char = chr(byte)
    return char if char.isascii() and (char.isalnum() or char in " .,:=/_") else f"\\{byte:03o}"
