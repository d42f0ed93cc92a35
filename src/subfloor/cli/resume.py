"""The command line to resume an interrupted run: as it was typed, without secrets and without used consent.

Consent is for one run, and for the data that this run showed. So the command line contains consent only for data that
the run has not yet destroyed. A user who types the line much later must not lose data that was written in between.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence

from subfloor.core.secret import MASK

REHEARSED = "SUBFLOOR_REHEARSED_BY"
"""Environment variable of the runs in a rehearsal: the command line that repeats the rehearsal. These runs print it
instead of the command line of the guest, which would work on the user's own disks when pasted."""

_CONSENT = ("--destroy", "--stamp")

_SECRET = re.compile(r"pass|secret|token|key|credential|hash", re.IGNORECASE)
_CRYPTED = re.compile(r"\$[0-9a-z]+\$")  # the start of a password's hash (crypt(5))
_NAMES = re.compile(r"[\"']?([A-Za-z_][A-Za-z0-9_]*)[\"']?\s*[=:]")
_VARIABLE = re.compile(r"(?P<option>-e|--extra-vars=)?(?P<name>[^=]+)=(?P<value>.*)", re.DOTALL)


def command_line(argv: Sequence[str], needed: Collection[str] = ()) -> str:
    """The arguments as one shell command. ``needed``: the words of consent that are needed again."""
    return shlex.join(["subfloor", *_kept(_without_secrets(argv), needed)])


def _kept(words: Iterator[str], needed: Collection[str]) -> Iterator[str]:
    for word in words:
        if word in _CONSENT:
            device = next(words, "")
            yield from (word, device) if _is_needed(device, needed) else ()
        elif word.partition("=")[0] not in _CONSENT or _is_needed(word.partition("=")[2], needed):
            yield word


def _is_needed(word: str, needed: Collection[str]) -> bool:
    """Whether this consent is needed again. ``word`` may name the host even if ``needed`` does not."""
    return word in needed or word[max(word.find(":/") + 1, 0) :] in needed


def _is_secret_inside(word: str) -> bool:
    """Whether an argument sets a variable whose name suggests a secret, as NAME=VALUE or NAME: VALUE."""
    return any(_SECRET.search(name) for name in _NAMES.findall(word))


def _without_secrets(argv: Sequence[str]) -> Iterator[str]:
    """The words, with secrets masked: values that look like password hashes, or whose variables have secret names."""
    before = ""
    for word in argv:
        found = _VARIABLE.fullmatch(word)
        is_variable = found and (found["option"] or before in ("-e", "--extra-vars"))
        if found and is_variable and (_SECRET.search(found["name"]) or _CRYPTED.search(found["value"])):
            word = f"{found['option'] or ''}{found['name']}={MASK}"
        elif before in ("-e", "--extra-vars") and not word.startswith("@") and _is_secret_inside(word):
            word = MASK
        yield word
        before = word
