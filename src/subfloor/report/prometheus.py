"""A run as metrics for the textfile collector of Prometheus' node exporter.

The format is the text-based exposition format 0.0.4. There are no timestamps, because the collector refuses them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from subfloor.core.outcome import AppliedBefore, HostOutcome, HostReport, Outcome, Repair
from subfloor.report.layout import undeclared
from subfloor.report.run import Run
from subfloor.report.style import Style

_PLAIN = Style()

Labels = Mapping[str, str]


def render(run: Run) -> str:
    """The metrics as text."""
    return "".join(f"{line}\n" for line in _lines(run))


def _lines(run: Run) -> Iterator[str]:
    play = {"play": run.play, "command": run.command}
    yield from _metric("subfloor_info", "The version of subfloor.", [({"version": run.version}, 1)])
    yield from _metric("subfloor_exit_status", "The exit status of the last run.", [(play, run.status)])
    ended = int(run.at.timestamp())
    yield from _metric("subfloor_last_run_timestamp_seconds", "When the last run ended.", [(play, ended)])
    if run.hosts:
        yield from _of_hosts(run)


def _of_hosts(run: Run) -> Iterator[str]:
    hosts = run.hosts
    outcomes = [(_of(host, "outcome", each), int(host.outcome is each)) for host in hosts for each in HostOutcome]
    yield from _metric(
        "subfloor_host_outcome", "1 for the host's outcome, which the label names; 0 for the other outcomes.", outcomes
    )
    states = [
        (_of(host, "before", each), int(_applied_before(host) is each)) for host in hosts for each in AppliedBefore
    ]
    yield from _metric(
        "subfloor_host_applied_before", "1 for the label that shows whether the play was applied before.", states
    )
    tasks = [(_of(host, "outcome", each), _tasks(host, each)) for host in hosts for each in Outcome]
    yield from _metric("subfloor_tasks", "The number of tasks by outcome.", tasks)
    repairs = [(_of(host, "repair", each), _repairs(host, each)) for host in hosts for each in Repair]
    yield from _metric("subfloor_tasks_by_repair", "The number of tasks by the kind of repair that they need.", repairs)
    others = [({"host": host.host}, len(undeclared(host.survey))) for host in hosts]
    yield from _metric("subfloor_undeclared_partitions", "Partitions that no task declares.", others)


def _of(host: HostReport, name: str, value: object) -> Labels:
    return {"host": host.host, name: str(value)}


def _applied_before(host: HostReport) -> AppliedBefore:
    return host.survey.applied_before if host.survey else AppliedBefore.UNKNOWN


def _tasks(host: HostReport, outcome: Outcome) -> int:
    return sum(task.outcome is outcome for task in host.tasks)


def _repairs(host: HostReport, repair: Repair) -> int:
    return sum(task.repair is repair for task in host.tasks)


def _metric(name: str, about: str, samples: Sequence[tuple[Labels, int]]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        listed = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{{{listed}}} {value}"


def _escaped(text: str) -> str:
    return _PLAIN.clean(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
