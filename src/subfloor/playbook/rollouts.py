"""The keys `serial` and `max_fail_percentage` of a play, as they are written."""

from __future__ import annotations

import re

from subfloor.core.rollout import Rollout, Share
from subfloor.playbook import strict_yaml
from subfloor.playbook.positions import PlaybookError, Problems
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table

_PERCENT = re.compile(r"([0-9]{1,3})%")
_SIZES = (
    "write a number of hosts (`serial: 2`), a percentage (`serial: 30%`), or a list of them (`serial: [1, 5, 30%]`)"
)
_MOST = "write a number from 0 to 100, such as `max_fail_percentage: 30`; 0: no host may fail"


def rollout(node: Table, problems: Problems) -> Rollout:
    """A play's batches and its limit of failed hosts; the errors in them are added to ``problems``."""
    serial: tuple[Share, ...] = ()
    with problems.kept():
        serial = _serial(node.items["serial"], problems) if "serial" in node.items else ()
    most = None
    with problems.kept():
        most = _percentage(node.items["max_fail_percentage"]) if "max_fail_percentage" in node.items else None
    return Rollout(serial, most)


def _serial(node: Node, problems: Problems) -> tuple[Share, ...]:
    nodes = node.items if isinstance(node, Listing) else (node,)
    if not nodes:
        raise PlaybookError("`serial` is an empty list", advice=_SIZES, where=node.where)
    sizes: list[Share] = []
    for each in nodes:
        with problems.kept():
            sizes.append(_share(each))
    return tuple(sizes)


def _share(node: Node) -> Share:
    value = node.value if isinstance(node, Scalar) else None
    percent = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if percent and 0 < int(percent[1]) <= 100:
        return Share(int(percent[1]), percent=True)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return Share(value)
    raise _wrong("`serial`: the size of a batch is a number of hosts or a percentage of them", node, _SIZES)


def _percentage(node: Node) -> float:
    value = node.value if isinstance(node, Scalar) else None
    percent = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    number = int(percent[1]) if percent else value
    if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= 100:
        return float(number)
    raise _wrong("`max_fail_percentage` is a percentage of the hosts of a batch", node, _MOST)


def _wrong(what: str, node: Node, advice: str) -> PlaybookError:
    flawed = isinstance(node, Scalar) and node.flawed
    return PlaybookError(
        f"{what}, but this is {strict_yaml.kind(node)}", advice=advice, where=node.where, follows=flawed
    )
