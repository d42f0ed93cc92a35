"""The installed playbook: the one that this machine was installed from, with the variables of that installation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from subfloor.playbook.recording import INVENTORY, PLAYBOOK, VARIABLES

_USUAL = "/etc/nixos/subfloor"


def given_or_own(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a command that names no playbook, completed with the installed playbook and its variables.

    Variables of the command line override the installed ones; an inventory replaces the installed one. Raises
    ``click.UsageError`` if this machine has no installed playbook.
    """
    folder = Path(os.environ.get("SUBFLOOR_RECORDED") or _USUAL)
    files = {name: folder / name for name in (PLAYBOOK, INVENTORY, VARIABLES)}
    missing = next((path for path in files.values() if not path.is_file()), None)
    if missing:
        raise click.UsageError(
            "Missing argument 'PLAYBOOK': name a playbook. This machine has no installed playbook: there is no "
            f"{missing}"
        )
    own = {"playbook": files[PLAYBOOK], "inventory": given["inventory"] or files[INVENTORY]}
    return {**given, **own, "extra": (f"@{files[VARIABLES]}", *given["extra"])}
