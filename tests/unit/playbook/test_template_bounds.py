"""Expressions are bounded in time and memory, by whatever they grow."""

from __future__ import annotations

import contextlib
import resource
import signal
import time

import pytest

from subfloor.playbook import bounds
from subfloor.playbook.templates import ExpressionError, evaluate, render


def _unknown(name: str) -> object:
    raise KeyError(name)


LOOP = "{% for _ in range(99999) %}" * 3 + "{% endfor %}" * 3


@pytest.mark.parametrize(
    "text",
    [
        LOOP,
        "{{ [1] | slice(10 ** 9) | list }}",
        "{{ [1] | batch(10 ** 10, 0) | list }}",
        "{{ 'x' | center(10 ** 10) }}",
        "{{ 'x'.ljust(10 ** 10) }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ '{:>10000000000}'.format(1) }}",
        "{{ 'a' | indent(10 ** 10, first=true) }}",
        "{{ 'x' * 10 ** 10 }}",
        "{{ range(10 ** 9) | list }}",
        "{% set ns = namespace(x=['x']) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    ],
)
def test_an_expression_ends_with_an_error_and_soon(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(bounds, "SECONDS", 0.5)
    started, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ExpressionError):
        render(text, _unknown)
    assert time.process_time() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 600_000, "KiB"


def test_the_limit_of_time_holds_after_a_finalizer_lost_its_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "SECONDS", 0.1)
    lost = []

    def swallowed(_name: str) -> object:
        with contextlib.suppress(bounds.Overdue):
            while True:
                pass
        lost.append(time.process_time())
        return range(99999)

    with pytest.raises(ExpressionError):
        render("{% for _ in long %}" + LOOP + "{% endfor %}", swallowed)
    assert lost and time.process_time() - lost[0] < 5


def test_the_bounds_end_with_the_expression() -> None:
    limits, handler = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGPROF)
    assert evaluate("1 + a", lambda name: evaluate("2", _unknown)) == 3
    with pytest.raises(ExpressionError):
        evaluate("1 / 0", _unknown)
    assert resource.getrlimit(resource.RLIMIT_AS) == limits
    assert signal.getsignal(signal.SIGPROF) == handler
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
