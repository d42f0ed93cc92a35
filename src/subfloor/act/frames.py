"""Frames: the pieces of sh that are sent to the open shell, which run completely or not at all.

A frame is one compound command, ``{ … }``. A shell parses a compound command to its end before it runs any of
it (POSIX.1, XCU 2.9.4). So a frame that lost its end with the connection is a syntax error and does nothing.

A command's output goes to its own pipes. Each is read by a ``cat`` that passes it on: the relay. The next frame
first ends the relays. So the output of a program that a command has left running never gets into the output of a
later command.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
end_relays() {
    for relay do
        line=; read -r line 2>/dev/null < "/proc/$relay/stat" || :
        set -- ${line##*) }
        [ "${3-}" != "$group" ] || kill -s KILL "$relay" 2>/dev/null
    done
    wait
}
"""
"""Prepares the shell; afterwards ``$group`` is its process group, 0 if that is in another PID namespace."""

# Relays hold no lock: descriptors 5 to 9 are those of locks. They ignore SIGTERM, since a command that gets it may
# still print while it cleans up. /proc/self is the process that opens it: the subshell that becomes cat.
_RELAY = "{ trap '' TERM; read -r relay _ < /proc/self/stat; echo $relay; exec cat; } 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-"


@dataclass(frozen=True)
class Frame:
    """One piece of sh, and a random mark that separates its output from everything else."""

    text: str
    mark: str = field(default_factory=lambda: secrets.token_hex(16))

    def in_shell(self, relays: Sequence[int] = ()) -> bytes:
        """The bytes that run it in the shell itself, which it may change; only for sh that leaves no process behind.

        ``relays``: the process ids of the last frame's relays."""
        began = f"{self._began()}; {self._began('>&4')}"
        return _encoded(f"{{ {_end(relays)}{began}\n{{ {self.text}\n}} 2>&4 4>&-\n{self._ended} >&4\n}}\n")

    def apart(self, relays: Sequence[int]) -> bytes:
        """The bytes that run it in a subshell, with relays for both of its output streams."""
        text = f"{{ {{ {self.text}\n}} 3>&- 4>&-\n{self._ended} >&2\n}} 2>&1 >&3 | {{ {_RELAY}; }} >&4 3>&-"
        began = f"{self._began(relay='')}; {self._began('>&4', relay='')}"
        return _encoded(f"{{ {_end(relays)}{began}\n{{ {text}; }} 3>&1 | {_RELAY} &\n}}\n")

    def looking(self, relays: Sequence[int]) -> bytes:
        """The bytes that run it in a subshell, with a relay for standard output; standard error is discarded."""
        began = f"{self._began(relay='')}; {self._began('>&4')}"
        text = f"{{ {self.text}\n}} 2>/dev/null 4>&-\n{self._ended} >&4"
        return _encoded(f"{{ {_end(relays)}{began}\n{{ {text}\n}} | {_RELAY} &\n}}\n")

    def _began(self, to: str = "", relay: str = "0\\n") -> str:
        return f"printf '\\n%s begin\\n{relay}' {self.mark} {to}"

    @property
    def _ended(self) -> str:
        return f"printf '\\n%s %d\\n' {self.mark} $?; printf '\\n%s 0\\n' {self.mark}"

    @property
    def begin(self) -> bytes:
        """What both streams contain before the relay's process id, which comes before the output."""
        return f"\n{self.mark} begin\n".encode()

    @property
    def end(self) -> bytes:
        """What both streams contain after the output and before the exit status."""
        return f"\n{self.mark} ".encode()


def command(argv: Sequence[str], stdin: bytes, env: Mapping[str, str]) -> str:
    """One simple command as sh."""
    words = [*(f"{name}={shlex.quote(value)}" for name, value in env.items()), shlex.join(argv)]
    return f"{_fed(stdin)} {' '.join(words)}"


def _end(relays: Sequence[int]) -> str:
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
