"""The command line that goes on after a run that broke off: what was typed, less what must not be typed again.

Consent is for one run and for what was shown in it. So it is left out, unless what it was given for is
still to be lost: whoever runs the line much later must not lose what came to lie on the disk meanwhile.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence

from subfloor.core.secret import MASK

REHEARSED = "SUBFLOOR_REHEARSED_BY"
"""In the environment of a rehearsal's runs: the command line that repeats the rehearsal. They never print their own,
which would act on the disk of whoever pastes it."""

_SECRET = re.compile(r"pass|secret|token|key|credential|hash", re.IGNORECASE)
_CRYPTED = re.compile(r"\$[0-9a-z]+\$")  # how a password's hash begins (crypt(5))
_VARIABLE = re.compile(r"(?P<option>-e|--extra-vars=)?(?P<name>[^=]+)=(?P<value>.*)", re.DOTALL)


def command_line(argv: Sequence[str], needed: Collection[str] = ()) -> str:
    """The arguments as a line for a shell. ``needed``: the words of consent that are needed again."""
    return shlex.join(["subfloor", *_kept(_without_secrets(argv), needed)])


def _kept(words: Iterator[str], needed: Collection[str]) -> Iterator[str]:
    for word in words:
        if word == "--destroy":
            device = next(words, "")
            yield from (word, device) if _is_needed(device, needed) else ()
        elif not word.startswith("--destroy=") or _is_needed(word.partition("=")[2], needed):
            yield word


def _is_needed(word: str, needed: Collection[str]) -> bool:
    """With one host, a device may have been given with the host's name or without."""
    return word in needed or word[max(word.find(":/") + 1, 0) :] in needed


def _without_secrets(argv: Sequence[str]) -> Iterator[str]:
    """The words, with the value of a variable masked where its name, or its look, says that it is secret."""
    before = ""
    for word in argv:
        found = _VARIABLE.fullmatch(word)
        is_variable = found and (found["option"] or before in ("-e", "--extra-vars"))
        if found and is_variable and (_SECRET.search(found["name"]) or _CRYPTED.search(found["value"])):
            word = f"{found['option'] or ''}{found['name']}={MASK}"
        yield word
        before = word
