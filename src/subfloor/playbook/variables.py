"""Variables in layers, evaluated when they are used.

As in Ansible, a variable may refer to variables of any layer, and is evaluated in the scope where it is used:
a task's ``disk`` changes the value of the play's ``part: "{{ disk }}1"`` in that task.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from subfloor.playbook import from_ansible, scalars, strict_yaml, templates
from subfloor.playbook.positions import PlaybookError, Position, Problems, Source, did_you_mean, nearest
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table

Vars = Mapping[str, Any]
"""Variables by name: YAML nodes, which are evaluated when used, or final values, some of them ``Deferred``."""


@dataclass(frozen=True)
class Deferred:
    """A final value that is fetched when it is used. ``fetch`` raises ``PlaybookError`` if there is none."""

    fetch: Callable[[], Any]


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

UNKNOWN = object()
"""The value of a variable whose definition has an error that was already reported."""


@dataclass(frozen=True)
class Scope:
    """The variables that an expression can use. ``layers``: the first layer that has a name wins.

    ``extra`` variables override everything, everything overrides ``defaults``.
    """

    extra: Vars = field(default_factory=dict)
    layers: tuple[Vars, ...] = ()
    defaults: tuple[Vars, ...] = ()
    partial: bool = False
    """Whether variables may be missing because they could not be read. Then an undefined one is only a consequence."""
    _known: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    _pending: list[str] = field(default_factory=list, init=False, compare=False, repr=False)

    def inside(self, *layers: Vars) -> Scope:
        """A scope in which these layers override all but the extra variables; the first layer wins."""
        new = tuple(layer for layer in layers if layer)
        return replace(self, layers=new + self.layers) if new else self

    def above(self, defaults: Vars) -> Scope:
        """A scope that uses these defaults for names that nothing else defines."""
        return replace(self, defaults=(*self.defaults, defaults)) if defaults else self

    def names(self) -> Iterable[str]:
        """Every name that is defined."""
        return {name for layer in self._all() for name in layer}

    def _all(self) -> tuple[Vars, ...]:
        return (self.extra, *self.layers, *self.defaults)

    def lookup(self, name: str) -> Any:
        """A variable's value.

        Raises ``KeyError`` if it is undefined, ``PlaybookError`` if it cannot be evaluated.
        """
        if name not in self._known:
            layer = next((layer for layer in self._all() if name in layer), None)
            if layer is None:
                raise KeyError(name)
            value = layer[name]
            if value is UNKNOWN:
                raise PlaybookError(
                    f"`{name}` has no value", advice="correct it", where=Position(Source(name, "")), follows=True
                )
            self._known[name] = self._valued(name, value)
        return self._known[name]

    def _valued(self, name: str, value: Any) -> Any:
        if isinstance(value, Deferred):
            return value.fetch()
        return self._rendered(name, value) if isinstance(value, Node) else value

    def argument_of(self, node: Scalar) -> Position | None:
        """The position of the argument ``-e`` that the expression in a node uses, directly or through other variables.

        None if it uses no such argument, or several.
        """
        found: set[Position] = set()
        seen: set[str] = set()
        pending = [node]
        while pending:
            text = pending.pop().value
            words = _NAME.findall(text) if isinstance(text, str) and templates.has_expression(text) else ()
            for name in {*words} - seen:
                seen.add(name)
                value = next((layer[name] for layer in self._all() if name in layer), None)
                if isinstance(value, Scalar):
                    pending.append(value)
                    found |= {value.where} if value.where.source.name == "-e" else set()
        return found.pop() if len(found) == 1 else None

    def _rendered(self, name: str, node: Node) -> Any:
        if name in self._pending:
            chain = " → ".join((*self._pending[self._pending.index(name) :], name))
            raise PlaybookError(
                f"the variable `{name}` is defined by itself: {chain}",
                advice="give one of them a value that does not refer to the others",
                where=node.where,
            )
        self._pending.append(name)
        try:
            return self.render(node)
        finally:
            self._pending.pop()

    def render(self, node: Node) -> Any:
        """The value of a node, with all expressions evaluated. Raises ``PlaybookError`` with all mistakes."""
        if isinstance(node, Listing):
            return list(self._rendered_all(enumerate(node.items)).values())
        if isinstance(node, Table):
            return self._rendered_all(node.items.items())
        if node.flawed:
            raise _flawed(node)
        if node.literal or not isinstance(node.value, str) or not templates.has_expression(node.value):
            return node.value
        return self._evaluated(templates.render, node.value, node.where)

    def _rendered_all(self, nodes: Iterable[tuple[Any, Node]]) -> dict[Any, Any]:
        problems = Problems()
        values = {}
        for key, node in nodes:
            with problems.kept():
                values[key] = self.render(node)
        problems.settle()
        return values

    def holds(self, node: Node) -> bool:
        """Whether a condition is true: an expression without braces, or a list of them that must all be true."""
        if isinstance(node, Listing):
            return all(self.holds(item) for item in node.items)
        value = plain_condition(node)
        if isinstance(value, str):
            value = self._evaluated(templates.evaluate, value, node.where)
        # Unlike Python and older Ansible, where the text "false" is true.
        if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
            return bool(value)
        raise PlaybookError(
            f"a condition must be true or false, but this is {scalars.kind(value)}",
            advice='compare it (`x == "y"`, `x is defined`, `x | length > 0`) or convert it (`x | bool`)',
            where=node.where,
        )

    def _evaluated(self, how: Any, text: str, where: Position) -> Any:
        try:
            return how(text, self.lookup)
        except templates.ExpressionError as error:
            raise self._error(error, where) from None
        except PlaybookError as error:
            if error.where != where and len(error.notes) < 5:
                error.notes += (f"used at {where}",)
            raise

    def _error(self, error: templates.ExpressionError, where: Position) -> PlaybookError:
        advice = "correct the expression"
        if error.known:
            close = nearest(error.near, error.known)
            advice = f"did you mean `{close}`?" if close else f"known here: {', '.join(error.known)}"
        if error.undefined:
            give = f"give it a value: `-e {error.undefined}=…`, in the inventory, or in the play's `vars`"
            ansible = from_ansible.variable(error.undefined)
            advice = ansible or did_you_mean(error.undefined, self.names(), otherwise=give)
        follows = self.partial and bool(error.undefined)
        where = where.of(error.near)
        return PlaybookError(error.what, advice=advice, where=where, undefined=error.undefined, follows=follows)


def _flawed(node: Scalar) -> PlaybookError:
    return PlaybookError("this value has an error", advice="correct it", where=node.where, follows=True)


def plain_condition(node: Node) -> Any:
    """The expression of a condition, or its value such as ``true``. Raises ``PlaybookError`` for anything else."""
    if isinstance(node, Scalar) and node.flawed:
        raise _flawed(node)
    if not isinstance(node, Scalar) or node.value is None:
        raise PlaybookError(
            f"a condition must be an expression, but this is {strict_yaml.kind(node)}",
            advice="write an expression such as `swap_size is defined`, or a list of them",
            where=node.where,
        )
    if isinstance(node.value, str) and templates.has_expression(node.value):
        raise PlaybookError(
            "a condition is already an expression", advice="remove the braces `{{ }}`", where=node.where
        )
    return node.value


def table_of_vars(node: Node | None, problems: Problems) -> Mapping[str, Node]:
    """The variables that a mapping defines; mistakes, such as names that no expression can use, go to ``problems``."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
    if not isinstance(node, Table):
        problems.add(
            PlaybookError(
                f"variables are a mapping of names to values, but this is {strict_yaml.kind(node)}",
                advice="write `name: value`, one per line",
                where=node.where,
            )
        )
        return {}
    for name, where in node.keys.items():
        if not _NAME.fullmatch(name):
            problems.add(
                PlaybookError(
                    f"`{name}` is not a valid variable name",
                    advice="use letters, digits and underscores, and do not start with a digit",
                    where=where,
                )
            )
    return node.items


def extra_vars(arguments: Iterable[str], problems: Problems | None = None) -> Mapping[str, Node]:
    """The variables of ``-e`` arguments: ``NAME=VALUE``, several of them, ``@FILE``, or a mapping in JSON or YAML.

    A later argument overrides an earlier one.

    A value is YAML, as strict as in a file: ``swap=no`` is an error, ``swap=false`` is false. Raises ``PlaybookError``
    with all mistakes; with ``problems`` they are added there.
    """
    noted = Problems() if problems is None else problems
    found: dict[str, Node] = {}
    for argument in arguments:
        with noted.kept():
            found |= _from_argument(argument, noted)
    if problems is None:
        noted.settle()
    return found


_ASSIGNMENT = re.compile(r"""(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>"[^"]*"|'[^']*'|[^\s"'\[{]\S*|)(?:\s+|$)""")


def _from_argument(argument: str, problems: Problems) -> Mapping[str, Node]:
    if argument.startswith("@"):
        return _from_file(argument, problems)
    if argument.startswith("{") and not templates.has_expression(argument[:2]):
        return table_of_vars(strict_yaml.parse(Source("-e", argument), problems), problems)
    several = list(_ASSIGNMENT.finditer(argument))
    if len(several) < 2 or "".join(each[0] for each in several) != argument:
        return _from_pair(argument)
    found: dict[str, Node] = {}
    for each in several:
        with problems.kept():
            found |= _from_pair(each[0].rstrip(), argument, each.start())
    return found


def _from_file(argument: str, problems: Problems) -> Mapping[str, Node]:
    return table_of_vars(strict_yaml.read(Path(argument[1:]), problems), problems)


def _from_pair(argument: str, whole: str = "", start: int = 0) -> Mapping[str, Node]:
    """The variable of ``NAME=VALUE``. ``whole``: the argument that contains it, from index ``start``."""
    where = Position(Source("-e", whole or argument), 1, start + 1)
    name, equals, text = argument.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise PlaybookError(
            f"`{argument}` is neither NAME=VALUE nor @FILE", advice="write `-e disk=/dev/vda`", where=where
        )
    where = replace(where, column=start + len(name) + 2)
    if text[:1] in ("[", '"', "'") or (text.startswith("{") and not templates.has_expression(text)):
        return {name: strict_yaml.parse(Source("-e", text))}
    try:
        return {name: Scalar(scalars.resolve(text) if text else "", where, text)}
    except scalars.AmbiguousError as error:
        raise PlaybookError(error.what, advice=error.advice, where=where) from None
