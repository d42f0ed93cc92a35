"""The variables of a task of Ansible, each evaluated by Ansible when subfloor uses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from subfloor.playbook.connections import CONNECTION_VARS
from subfloor.playbook.positions import PlaybookError, Position, Source
from subfloor.playbook.variables import Deferred, Vars

_LEFT_OUT = frozenset({"hostvars", "vars", "omit", "environment", "group_names", "inventory_hostname"})
"""Variables that Ansible adds, and that subfloor defines itself or does not have."""

_OWN = frozenset({"subfloor_machine"})
"""Variables about the connection that mean the same in Ansible."""


def of_task(templar: Any, task_vars: Mapping[str, Any], names: Iterable[str] | None = None) -> Vars:
    """The variables of a task, or only those in ``names``.

    Variables about the connection are left out, since Ansible connects to the host.
    """
    kept = (name for name in (task_vars if names is None else names) if name in task_vars)
    return {name: Deferred(partial(_value, templar, task_vars, name)) for name in kept if _is_for_playbooks(name)}


def _is_for_playbooks(name: str) -> bool:
    return name not in _LEFT_OUT and (name not in CONNECTION_VARS or name in _OWN)


def _value(templar: Any, task_vars: Mapping[str, Any], name: str) -> Any:
    from ansible.errors import AnsibleError

    try:
        return plain(templar.template(task_vars[name]))
    except AnsibleError as error:
        raise PlaybookError(
            f"Ansible cannot evaluate it: {error}",
            advice="correct it where it is defined in Ansible",
            where=Position(Source(f"the variable `{name}`", "")),
        ) from error


def plain(value: Any) -> Any:
    """The value without Ansible's additions, such as its origin. What YAML cannot hold becomes text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    return str(value)
