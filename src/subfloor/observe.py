"""Look at a host: one script, one round trip, any number of subjects, and a machine comes back."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable, Mapping

from subfloor.errors import LookFailed
from subfloor.host import Shell
from subfloor.machine import AnySubject, Machine, Output

_TIMEOUT = 120.0


def look(shell: Shell, subjects: Iterable[AnySubject]) -> Machine:
    """What is to be seen of each subject now. Raises ``LookFailed``, and what ``Shell.script`` raises."""
    wanted = sorted(set(subjects), key=str)
    probes = tuple(dict.fromkeys(probe for subject in wanted for probe in subject.probes()))
    if not probes:
        return Machine()
    mark = secrets.token_hex(16)
    said = shell.script(script(probes, mark), timeout=_TIMEOUT, name="looking").stdout
    outputs = dict(zip(probes, split(said, mark, len(probes)), strict=True))
    return Machine({subject: _parsed(subject, outputs) for subject in wanted})


def script(probes: Iterable[str], mark: str) -> str:
    """The sh script that runs every probe apart from the others, and frames what it prints."""
    return "\n".join(
        f"( eval {shlex.quote(probe)} ) </dev/null 2>/dev/null; printf '\\n%s %d\\n' {mark} $?" for probe in probes
    )


def split(said: bytes, mark: str, count: int) -> tuple[Output, ...]:
    """The outputs of the probes. Raises ``LookFailed`` when they are not as many as the probes."""
    frame = b"\n" + mark.encode() + b" "
    bodies = said.split(frame)
    if len(bodies) != count + 1:
        raise _broke_off()
    outputs, body = [], bodies[0]
    for rest in bodies[1:]:
        status, _, following = rest.partition(b"\n")
        if not status.isdigit():
            raise _broke_off()
        outputs.append(Output(body, int(status)))
        body = following
    return tuple(outputs)


def _broke_off() -> LookFailed:
    return LookFailed("the look at the machine broke off", advice="run the same command again")


def _parsed(subject: AnySubject, outputs: Mapping[str, Output]) -> object:
    try:
        return subject.parse(*(outputs[probe] for probe in subject.probes()))
    except (ValueError, IndexError, KeyError, AssertionError) as error:
        raise LookFailed(
            f"{subject}: what its probes said was not understood ({type(error).__name__}: {error})",
            advice="this is a fault of subfloor or of the plugin: report it with the output of "
            "`lsblk -O --json`, `wipefs --json` and `cat /proc/self/mountinfo`",
        ) from error
