"""Consent in Ansible: an extra variable of the run that names the devices, with their hosts if it has several."""

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
    """Consent that is not given as it must be."""


def consents(extra: Mapping[str, Any], is_set: bool, hosts: Sequence[str]) -> Consents:
    """The consent of a run, by host. ``is_set``: the variable has a value for this task, from wherever.

    ``extra``: the extra variables of the run. Raises ``WrongConsent``, also if the variable is set anywhere else: what
    is written in a playbook or an inventory counts for every run.
    """
    if is_set and DESTROY not in extra:
        raise WrongConsent(f"`{DESTROY}` is set in a playbook, a role or an inventory", advice=_WHEREFROM)
    try:
        return given(_words(extra.get(DESTROY)), hosts)
    except ValueError as error:
        raise WrongConsent(f"`{DESTROY}`: {error}", advice=_WHEREFROM) from error


def _words(value: Any) -> list[str]:
    """The devices: a list, or a text in which commas separate them."""
    words = [] if value is None else value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("it must be a device or a list of devices")
    return [word.strip() for word in words if word.strip()]


def advice(error: ConsentNeeded) -> str:
    """How consent to this loss is given."""
    return f"to destroy it, run the same command again with `-e {DESTROY}={','.join(error.words)}`"
