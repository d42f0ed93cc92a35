"""The playbook of Ansible that does what a playbook of subfloor does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from subfloor.ansible.names import PLAY, full
from subfloor.core.rollout import Rollout
from subfloor.playbook import Play
from subfloor.playbook.positions import PlaybookError

_HEAD = """\
# The equivalent of {path}, which is read when this runs. It needs the collection subfloor.core.
# Consent to destroy data: -e subfloor_destroy=HOST:DEVICE
"""


def playbook_for(plays: Sequence[Play], path: Path) -> str:
    """The text of a playbook of Ansible. It contains one play, since subfloor plans all plays of a host together.

    Raises ``PlaybookError`` if one of several plays is applied in batches.
    """
    own = next((play for play in plays if not play.rollout.plain), None)
    if own and len(plays) > 1:
        raise PlaybookError(
            "one play of Ansible cannot have the batches of one of several plays",
            advice="put the play with `serial` or `max_fail_percentage` into a playbook of its own",
            where=own.where,
        )
    name = ", ".join(play.name for play in plays if play.name)
    play: dict[str, Any] = {
        **({"name": name} if name else {}),
        "hosts": ":".join(dict.fromkeys(play.hosts for play in plays)),
        "gather_facts": False,
        "become": True,
        **(_batches(own.rollout) if own else {}),
        # Tags of the run select among the entries of subfloor's playbook.
        "tasks": [{"name": f"Apply {path.name}", full(PLAY): {"playbook": str(path)}, "tags": ["always"]}],
    }
    return _HEAD.format(path=path) + yaml.safe_dump([play], sort_keys=False, allow_unicode=True, width=110)


def _batches(rollout: Rollout) -> dict[str, Any]:
    sizes = [f"{each.number}%" if each.percent else each.number for each in rollout.serial]
    most = {} if rollout.most_failed is None else {"max_fail_percentage": rollout.most_failed}
    return {**({"serial": sizes} if sizes else {}), **most}
