"""The connection of a task of Ansible, as a way to run scripts on its host."""

from __future__ import annotations

from typing import Any

from subfloor.act.by_script import Said, ScriptHost
from subfloor.core.errors import SubfloorError, Unreachable


class NoPipelining(SubfloorError):
    """A connection that cannot give a program its standard input."""

    def __init__(self, transport: str) -> None:
        super().__init__(
            f"the connection `{transport}` passes no standard input to programs on the host",
            advice="use a connection that passes standard input: ssh, local, docker or podman",
        )


def host_of(action: Any, name: str) -> ScriptHost:
    """The host of a task, reached through the task's connection, with `become` as it is set for the task.

    ``action``: the action plugin that runs the task. Raises ``NoPipelining``.
    """
    connection = action._connection
    if not connection.has_pipelining:
        raise NoPipelining(connection.transport)
    # Without pipelining, Ansible opens a terminal to enter the password for become, and the script would go there, too.
    if "pipelining" in getattr(connection, "option_definitions", {"pipelining": None}):
        connection.set_option("pipelining", True)
    return ScriptHost(name, lambda script: _sent(action, script))


def _sent(action: Any, script: bytes) -> Said:
    """Run a script on the host; returns its output. Raises ``Unreachable``.

    Ansible returns the output as text. With surrogates, this text encodes to exactly the bytes that the script wrote.
    """
    from ansible.errors import AnsibleConnectionFailure

    try:
        done = action._low_level_execute_command("sh", in_data=script, encoding_errors="surrogateescape")
    except AnsibleConnectionFailure as error:
        raise Unreachable(
            str(error),
            advice="check that `ansible HOST -m ansible.builtin.raw -a true` works; then run the same command again. A "
            "command that still runs there keeps its disk locked until it ends",
        ) from error
    return Said(*(done[name].encode("utf-8", "surrogateescape") for name in ("stdout", "stderr")))
