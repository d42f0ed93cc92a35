"""Playbooks and inventories; every mistake is reported with file, line and column."""

from subfloor.playbook.entries import Entry
from subfloor.playbook.plays import Play, load
from subfloor.playbook.positions import PlaybookError

__all__ = ["Entry", "Play", "PlaybookError", "load"]
