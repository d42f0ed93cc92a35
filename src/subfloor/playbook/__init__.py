"""What people write about their machines: playbooks, every mistake in them told with its place."""

from subfloor.playbook.plays import Entry, Play, load
from subfloor.playbook.positions import PlaybookError

__all__ = ["Entry", "Play", "PlaybookError", "load"]
