"""Apply to hosts batch by batch, and stop the run if too many of a batch fail.

As in Ansible, a host that cannot be reached does not count as failed for ``max_fail_percentage``. But if all hosts of a
batch have failed or cannot be reached, the next batch does not begin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

from subfloor.act.events import Interrupted, Stopped
from subfloor.act.host_run import HostRun
from subfloor.act.parallel import Interrupt, in_parallel
from subfloor.core.outcome import HostOutcome, HostReport
from subfloor.core.rollout import Batch

_FAILED = frozenset({HostOutcome.FAILED, HostOutcome.REFUSED, HostOutcome.NEEDS_CONSENT})


def roll_out(batches: Sequence[Batch], runs: Mapping[str, HostRun], forks: int, interrupt: Interrupt) -> None:
    """Apply to the hosts of each batch, ``forks`` at the same time, until all runs have ended."""
    stop = _Stop()
    for batch in batches:
        turn = _Turn(batch, stop, interrupt)
        own = [runs[name] for name in batch.hosts if name in runs]
        in_parallel(own, turn.take, forks, interrupt)
        if own and all(run.ended and _is_lost(run.ended) for run in own):
            stop.because(f"all hosts of a batch failed or could not be reached: {', '.join(batch.hosts)}")


class _Stop:
    """Why the run stops on all hosts; empty if it does not stop. The first reason counts."""

    def __init__(self) -> None:
        self.why = ""

    def because(self, why: str) -> None:
        self.why = self.why or why

    def check(self) -> None:
        """Raise ``Stopped`` if there is a reason."""
        if self.why:
            raise Stopped(self.why)


class _Turn:
    """Applies one batch to each of its hosts, and counts the hosts that failed."""

    def __init__(self, batch: Batch, stop: _Stop, interrupt: Interrupt) -> None:
        self._batch, self._stop, self._interrupt = batch, stop, interrupt
        self._failed: list[str] = []
        self._lock = Lock()

    def take(self, run: HostRun) -> None:
        """Apply the plays of this batch to a host, unless its work has ended, or the run stops."""
        if run.ended:
            return
        if self._interrupt.is_set():
            run.end(Interrupted("interrupted before this host's turn"))
        elif self._stop.why:
            run.end(Stopped(self._stop.why))
        else:
            run.advance(self._batch.play, self._stop.check)
            self._note(run.ended)

    def _note(self, ended: HostReport | None) -> None:
        if ended and _was_interrupted(ended):
            self._interrupt.set()
        elif ended and ended.outcome in _FAILED and not isinstance(ended.error, Stopped):
            with self._lock:
                self._failed.append(ended.host)
                if self._batch.has_too_many(len(self._failed)):
                    self._stop.because(self._too_many())

    def _too_many(self) -> str:
        return (
            f"{', '.join(self._failed)} failed, {len(self._failed)} of {len(self._batch.hosts)} hosts, "
            f"and max_fail_percentage is {self._batch.most_failed:g}"
        )


def _is_lost(report: HostReport) -> bool:
    return report.unreachable or report.outcome in _FAILED


def _was_interrupted(report: HostReport) -> bool:
    return any(isinstance(error, Interrupted) for error in (report.error, *(each.error for each in report.tasks)))
