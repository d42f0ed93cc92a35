"""Decide which tasks are written: a task must accept its parameters, and other tasks must make what it lies on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from subfloor.core.identity import Identity
from subfloor.core.parameters import complaints
from subfloor.core.secret import Secret
from subfloor.playbook.disko.contents import lost
from subfloor.playbook.disko.items import Expression, Item, Missing, Stage, Wanted, listed
from subfloor.playbook.registry import Plugin, Registry
from subfloor.playbook.writing import is_literal

_FILLING = ("mkfs", "luks", "raid", "volume-group", "gpt-label")
_FILLED = ("aligned-partition", "luks", "raid", "logical-volume")

_FOLLOWS = "see why it is not made, in this list"
_INSTEAD = "change it, or do it by hand"


@dataclass(frozen=True)
class _Complaint:
    """Why a task cannot have a parameter. ``parameter``: its name; empty if the reason is about the whole task."""

    parameter: str
    why: str


def settled(items: Iterable[Item], registry: Registry) -> list[Item]:
    """The items in the order of the playbook; a task that cannot be written has become a ``Missing``."""
    done: list[Item] = []
    made: set[str] = set()
    for item in sorted(items, key=_order):
        found = list(_accepted(item, made, registry) if isinstance(item, Wanted) else (item,))
        made |= {each.makes for each in found if isinstance(each, Wanted)}
        done += found
    return list(_once(_raw(done)))


def _once(items: Iterable[Item]) -> Iterator[Item]:
    """The items. If several ``Missing`` at one place only follow from another, the first of them is kept."""
    told: set[tuple[str, str]] = set()
    for item in items:
        key = (item.place, item.advice) if isinstance(item, Missing) and item.advice == _FOLLOWS else None
        if key not in told:
            yield item
        told |= {key} if key else set()


def _order(item: Item) -> tuple[int, str]:
    """The key for sorting: the layout as it was read, then mounts by path, so that no mount hides another."""
    if not isinstance(item, Wanted) or item.stage in (Stage.LAYOUT, Stage.SUBVOLUMES):
        return (item.stage if isinstance(item, Wanted) else Stage.LAYOUT, "")
    return item.stage, str(item.parameters.get("path", ""))


def _accepted(task: Wanted, made: set[str], registry: Registry) -> Iterator[Item]:
    if lacking := [each for each in task.needs if each not in made]:
        yield Missing.at(task.at, f"it needs the {_called(lacking)}, which is not made{lost(task.at)}", _FOLLOWS)
        return
    plugin = registry.get(task.key)
    assert plugin is not None
    given = dict(task.parameters)
    found = _complaints(plugin, given)
    essential = {"", *plugin.schema["required"], *task.essential}
    for each in found:
        without = f"cannot make it{lost(task.at)}" if each.parameter in essential else "cannot have it"
        yield Missing.at(task.place_of(each.parameter), f"`{task.key}` {without}: {each.why}", _INSTEAD)
        given.pop(each.parameter, None)
    if essential.intersection(each.parameter for each in found):
        return
    yield replace(task, parameters=given)


def _called(paths: list[str]) -> str:
    return listed(path if " " in path else f"volume {path}" for path in paths)


def _complaints(plugin: Plugin, given: Mapping[str, Any]) -> list[_Complaint]:
    """The reasons for which the task refuses parameters: at most one for each parameter, and one for the whole task."""
    known = plugin.schema["properties"]
    found = [_Complaint(name, f"it has no parameter {name!r}") for name in given if name not in known]
    plain = {name: _plain(value) for name, value in given.items() if name in known}
    for error in plugin.validator.iter_errors(plain):
        name = str(error.absolute_path[0]) if error.absolute_path else ""
        found.append(_Complaint(name, error.message))
    found += [_Complaint(name, "no playbook can hold this text") for name, value in given.items() if _is_odd(value)]
    if not found:
        secret = {name: Secret("x") if isinstance(value, Expression) else value for name, value in plain.items()}
        for complaint in complaints(plugin.task, secret, Identity("import", "localhost")):
            name, _, why = complaint.partition(": ")
            found.append(_Complaint(name, why) if name in known else _Complaint("", complaint))
    return list({each.parameter: each for each in reversed(found)}.values())[::-1]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Expression) else value


def _is_odd(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_odd, value))
    return isinstance(value, str) and not isinstance(value, Expression) and not is_literal(value)


def _raw(items: list[Item]) -> Iterator[Item]:
    """The items. A volume that no task fills gets the parameter ``raw``."""
    tasks = [item for item in items if isinstance(item, Wanted) and item.key in _FILLING]
    filled = {path for task in tasks for path in (task.parameters.get("device"), *task.parameters.get("devices", ()))}
    for item in items:
        is_pool = isinstance(item, Wanted) and item.parameters.get("type") == "thin-pool"
        if isinstance(item, Wanted) and item.key in _FILLED and item.makes not in filled and not is_pool:
            yield replace(item, parameters={**item.parameters, "raw": True})
        else:
            yield item
