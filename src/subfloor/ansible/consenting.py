"""Consent in Ansible: an extra variable of the run names the devices, with their hosts if the play has several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from subfloor.ansible.names import DESTROY
from subfloor.core.consent import Consents, given
from subfloor.core.errors import ConsentNeeded, SubfloorError

_WHEREFROM = (
    f"give it on the command line of this run: `-e {DESTROY}=DEVICE`, or `-e {DESTROY}=HOST:DEVICE` if the play "
    "has several hosts"
)


class WrongConsent(SubfloorError):
    """The variable for consent has a wrong value, or is set in the wrong place."""


def consents(extra: Mapping[str, Any], is_set: bool, hosts: Sequence[str]) -> Consents:
    """The consent of a run, by host. ``is_set``: whether the variable for consent has a value, set in any place.

    ``extra``: the extra variables of the run. Raises ``WrongConsent``, also if that variable is set but is no extra
    variable: a playbook or an inventory would give consent to every run.
    """
    if is_set and DESTROY not in extra:
        raise WrongConsent(f"`{DESTROY}` is set in a playbook, a role or an inventory", advice=_WHEREFROM)
    try:
        return given(_words(extra.get(DESTROY)), hosts)
    except ValueError as error:
        raise WrongConsent(f"`{DESTROY}`: {error}", advice=_WHEREFROM) from error


def _words(value: Any) -> list[str]:
    """The devices in a value: a list, or a text with commas between them. Raises ``ValueError``."""
    words = [] if value is None else value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("it must be a device or a list of devices")
    return [word.strip() for word in words if word.strip()]


def advice(error: ConsentNeeded) -> str:
    """How to give the consent that is missing."""
    return f"to destroy it, run the same command again with `-e {DESTROY}={','.join(error.words)}`"
