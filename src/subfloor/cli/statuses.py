"""The exit statuses of errors that end a command before it has a report."""

from __future__ import annotations

FAILED, REFUSED, IN_PART, USAGE = 1, 3, 6, 64


def status_of(error: BaseException) -> int:
    """The exit status of a command that ended with this error."""
    import click

    from subfloor.core.errors import PluginError, Refused
    from subfloor.playbook.positions import PlaybookError

    if isinstance(error, Refused):
        return REFUSED
    return USAGE if isinstance(error, click.UsageError | PlaybookError | PluginError) else FAILED
