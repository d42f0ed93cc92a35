"""The commands ``export ansible`` and ``export collection``: what Ansible needs to use subfloor."""

from __future__ import annotations

from pathlib import Path

import click

from subfloor.ansible.collection import PLACE, files, write_below
from subfloor.ansible.equivalent import playbook_for
from subfloor.playbook import load
from subfloor.playbook.registry import Registry
from subfloor.report.screen import Screen, outcome_of, standard


def ansible(playbook: Path) -> int:
    """Print the playbook of Ansible for one of subfloor; returns the exit status. Raises ``PlaybookError``."""
    screen = Screen(standard())
    screen.write(playbook_for(load(playbook, Registry([playbook.parent / "plugins"])), playbook))
    return outcome_of(screen, 0)


def collection(directory: Path) -> int:
    """Write the collection below a directory; returns the exit status. Raises ``UsageError``."""
    registry = Registry()
    written = files(plugin for name in registry.names() if (plugin := registry.get(name)))
    try:
        write_below(directory, written)
    except OSError as error:
        what = f"{error.filename} cannot be written: {error.strerror}"
        raise click.UsageError(f"{what}; name another directory") from None
    screen = Screen(standard())
    screen.print([f"wrote {len(written)} files to {directory / PLACE}", f"  → ANSIBLE_COLLECTIONS_PATH={directory}"])
    return outcome_of(screen, 0)
