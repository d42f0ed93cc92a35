"""Kill a run in a virtual machine at every moment; the next run must have the same result, without a question."""

from __future__ import annotations

from collections.abc import Sequence

from counting import Count
from crash.killing import Call, Counted, ends, moments
from vm.conftest import Forkserver


def rerun_after_every_kill(
    forkserver: Forkserver,
    arguments: Sequence[str],
    starts: Sequence[str],
    state: str,
    count: Count,
    name: str,
    inside: int = 2,
) -> None:
    """Apply ``arguments``, killed at each moment in turn, from what the scripts ``starts`` make, and apply them again.

    ``state``: a script that prints everything that must be as after a run that was not killed. ``inside``: at how many
    calls of each command the runner, the tool and both are killed.
    """
    apply, check = (["apply", *arguments], ["check", *arguments])
    before = [{"sh": each} for each in starts]
    *begun, whole, wanted = forkserver(*before, {"run": apply, "count": 1}, {"sh": state})
    assert {each["status"] for each in (*begun, whole, wanted)} == {0}, (begun, whole, wanted)
    commands = [
        Counted(tuple(each["argv"]), tuple(Call(**call) for call in each["calls"])) for each in whole["commands"]
    ]
    for moment in moments(commands, inside):
        call = (moment.call.name, moment.call.number) if moment.call else None
        kill = {"run": apply, "kill": (moment.command, call, moment.whom)}
        *begun, first, checked, found = forkserver(*before, kill, {"run": check}, {"sh": state})
        told = f"{moment}: {' '.join(commands[moment.command - 1].argv)}\n{first}\n{checked}\n{begun}"
        assert {each["status"] for each in begun} <= {0}, told
        assert first["status"] == ends(moment, commands), told
        assert (first["again"]["status"], checked["status"]) == (0, 0), told
        assert found == wanted, told
        count("killed in a virtual machine", f"{name}, {moment.whom if call else 'between'}: carried on")
