"""The work of the action plugin: read the arguments of a task, check or apply it on its host, return the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from subfloor.act.run import carry_out
from subfloor.act.run import check as check_hosts
from subfloor.act.this_machine import this_machine
from subfloor.ansible import arguments, asked, variables
from subfloor.ansible.asked import Around
from subfloor.ansible.connection import host_of
from subfloor.ansible.consenting import consents
from subfloor.ansible.names import DESTROY, PLAY, key_of
from subfloor.ansible.results import invocation, result_of, words
from subfloor.core.consent import Consents
from subfloor.core.errors import SubfloorError
from subfloor.core.outcome import HostReport
from subfloor.playbook.job import NoHost, Request, read_job
from subfloor.playbook.registry import Plugin, Registry
from subfloor.playbook.task_values import is_secret
from subfloor.report.live import Silent

HIDDEN = frozenset({"tasks", "vars"})
"""The arguments of ``play`` that may hold secrets."""


def act(action: Any, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Run the task of an action plugin; returns its result, which also reports errors of subfloor.

    Raises the errors of Ansible, such as for wrong arguments.
    """
    task = _Task(action, task_vars)
    try:
        return task.run()
    except SubfloorError as error:
        return {"changed": False, "failed": True, "msg": words(error), **task.invocation}


class _Task:
    """A task of Ansible: its action plugin, and its variables."""

    def __init__(self, action: Any, task_vars: Mapping[str, Any]) -> None:
        self._action, self._task, self._vars = action, action._task, task_vars
        self.invocation: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Read and plan the task, and apply it unless this is check mode; returns the result for Ansible."""
        key = key_of(self._task.action)
        single = None if key == PLAY else _plugin(key)
        request = self._play() if single is None else self._single(single)
        report = self._report(request) if request else None
        if report is None:
            return {
                "changed": False,
                "skipped": True,
                "skip_reason": "the tags and hosts select no task of the play",
                **self.invocation,
            }
        return {**result_of(report, single=single is not None, diff=bool(self._task.diff)), **self.invocation}

    def _single(self, plugin: Plugin) -> Request:
        secret = frozenset(name for name in plugin.schema["properties"] if is_secret(name, plugin.schema))
        given = self._validated(arguments.spec_of(plugin.schema), {}, secret)
        return asked.single(plugin, given, self._name, self._around)

    def _play(self) -> Request | None:
        given = self._validated(arguments.PLAY, arguments.PLAY_RULES, HIDDEN)
        if "playbook" not in given:
            return asked.inline(given, self._name, self._around)
        return asked.from_file(given, Path(self._action._find_needle("files", given["playbook"])), self._around)

    def _validated(self, spec: arguments.Spec, rules: Mapping[str, Any], secret: frozenset[str]) -> dict[str, Any]:
        """The arguments as Ansible has checked and converted them, without arguments that have no value."""
        self.invocation = {"invocation": invocation(variables.plain(self._task.args), secret)}
        _, given = self._action.validate_argument_spec(spec, **rules)
        return {name: _without_nothing(each) for name, each in variables.plain(given).items() if each is not None}

    @property
    def _name(self) -> str:
        return str(self._task.name or "")

    @property
    def _around(self) -> Around:
        templar, own = self._action._templar, self._vars
        return Around(
            host=str(own["inventory_hostname"]),
            folder=Path(self._action._loader.get_basedir()),
            groups=tuple(map(str, own.get("group_names", ()))),
            every_group=frozenset(map(str, own.get("groups", ()))),
            variables=variables.of_task(templar, own),
            extra=variables.of_task(templar, own, self._extra),
            tags=frozenset(map(str, self._task.tags)),
            run_tags=tuple(map(str, own.get("ansible_run_tags", ()))),
            skip_tags=tuple(map(str, own.get("ansible_skip_tags", ()))),
            local=self._action._connection.transport == "local",
        )

    @property
    def _extra(self) -> Mapping[str, Any]:
        """The extra variables of the run, as they were given."""
        from ansible.utils.vars import load_extra_vars

        found: Mapping[str, Any] = load_extra_vars(self._action._loader)
        return found

    def _consents(self) -> Consents:
        hosts = tuple(map(str, self._vars.get("ansible_play_hosts_all") or (self._vars["inventory_hostname"],)))
        return consents(variables.plain(self._extra), DESTROY in self._vars, hosts)

    def _report(self, request: Request) -> HostReport | None:
        """The report on the host of the task; None if no play is for this host."""
        consent = self._consents()
        try:
            job = read_job(request, this_machine=this_machine)
        except NoHost as error:
            if error.others:
                raise
            return None
        host = host_of(self._action, str(self._vars["inventory_hostname"]))
        works = [replace(work, host=host, depth="deep" if self._task.check_mode else "mounted") for work in job.works]
        if self._task.check_mode:
            reports = check_hosts(works, consent, Silent())
        else:
            reports = carry_out(works, consent, Silent(), lambda reports, given: given, None).reports
        return reports[0] if reports else None


def _plugin(key: str) -> Plugin:
    plugin = Registry().get(key)
    if plugin is None:
        raise SubfloorError(
            f"subfloor has no task `{key}`",
            advice="install the plugin that has it where Ansible runs, or write the collection again: "
            "`subfloor export collection DIRECTORY`",
        )
    return plugin


def _without_nothing(value: Any) -> Any:
    """The value without entries that are None, at any depth: Ansible adds them for options that are not set."""
    if isinstance(value, dict):
        return {name: _without_nothing(each) for name, each in value.items() if each is not None}
    return [_without_nothing(each) for each in value] if isinstance(value, list) else value
