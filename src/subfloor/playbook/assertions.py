"""The entries ``assert`` and ``fail``: errors that a playbook declares. They are raised before any disk is read."""

from __future__ import annotations

from subfloor.playbook import strict_yaml
from subfloor.playbook.positions import PlaybookError, Problems
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.task_list import FAIL, Item, check_keys
from subfloor.playbook.variables import Scope

_KEYS = {"assert": ("that", "msg", "fail_msg", "success_msg", "quiet"), "fail": ("msg",)}


def check(item: Item, scope: Scope) -> None:
    """Raise ``PlaybookError`` for all conditions of an ``assert`` that are false, and for a ``fail``."""
    params = item.params
    if not isinstance(params, Table):
        usage = "fail: {msg: …}" if item.key == FAIL else "assert: {that: [CONDITION, …], fail_msg: …}"
        what = f"`{item.key}` needs a mapping, but this is {strict_yaml.kind(params)}"
        raise PlaybookError(what, advice=f"write `{usage}`", where=params.where)
    check_keys(params, _KEYS[item.key], f"`{item.key}`")
    message = _message(params, scope)
    if item.key == FAIL:
        advice = "change the condition in `when` of this entry" if item.when else "remove this entry"
        raise PlaybookError(message or "the playbook ends here", advice=advice, where=item.where)
    if "that" not in params.items:
        what = "`assert` needs `that`"
        raise PlaybookError(what, advice="add `that: [CONDITION, …]`", where=item.where)
    _assert(params.items["that"], message, scope)


def _assert(that: Node, message: str, scope: Scope) -> None:
    problems = Problems()
    for each in that.items if isinstance(that, Listing) else (that,):
        with problems.kept():
            if not scope.holds(each):
                raw = each.raw if isinstance(each, Scalar) else ""
                what = message or f"the assertion is false: {raw}"
                raise PlaybookError(what, advice="change the values of its variables", where=each.where)
    problems.settle()


def _message(params: Table, scope: Scope) -> str:
    node = params.items.get("fail_msg") or params.items.get("msg")
    return str(scope.render(node)) if node else ""
