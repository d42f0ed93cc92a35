"""Validate a task's parameters: compare them with their schema, and report each error at its key or value.

jsonschema decides what is wrong; this module adds the message and the position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, Any

from subfloor.core.secret import MASK, Secret
from subfloor.playbook import from_ansible, scalars
from subfloor.playbook.positions import PlaybookError, Position, did_you_mean, nearest
from subfloor.playbook.registry import Plugin
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.task_values import is_secret
from subfloor.storage import sizes

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

Schema = Mapping[str, Any]

_MANY = 100
"""The greatest number of errors to report. Nobody reads more, and each one takes time."""

_TYPES: Mapping[str, str] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
    "array": "a list",
    "object": "a mapping",
}

_BOUNDS: Mapping[str, Callable[[Any], str]] = {
    "enum": lambda choices: f"must be one of {_listed(choices)}",
    "pattern": lambda pattern: "must be a size" if pattern == sizes.PATTERN else f"must match {pattern}",
    "minimum": lambda least: f"must be at least {least}",
    "maximum": lambda most: f"must be at most {most}",
    "minLength": lambda count: _at_least(count, "characters"),
    "minItems": lambda count: _at_least(count, "items"),
}
"""What a value must be, by the keyword of JSON Schema that it violates."""


@dataclass(frozen=True)
class Checked:
    """The errors in a task's parameters, and the names of the parameters that have one."""

    errors: tuple[PlaybookError, ...]
    names: frozenset[str] = frozenset()


def check(plugin: Plugin, values: Any, node: Node, where: Position, without: frozenset[str] = frozenset()) -> Checked:
    """All errors in a task's parameters, in the order of the file.

    ``values``: the parameters with all expressions evaluated; ``node``: the parameters as they are written;
    ``where``: the position of the task's key; ``without``: parameters that have no value because of another error.
    """
    wrong: dict[Any, ValidationError] = {}
    for error in islice(plugin.validator.iter_errors(_masked(plugin, values)), _MANY):
        # For one value, only the first error is reported; for the parameters as a whole, all.
        wrong.setdefault(tuple(error.absolute_path) or error.validator, error)
    told = (each for error in wrong.values() for each in _told(plugin, error, node, where, without))
    errors = sorted(islice(told, _MANY), key=lambda each: (each.where.line, each.where.column))
    names = frozenset(str(error.absolute_path[0]) for error in wrong.values() if error.absolute_path)
    return Checked(tuple(errors), names)


def _masked(plugin: Plugin, values: Any) -> Any:
    """The values, with a text of dots in place of the secret of each secret parameter.

    So only the type of a secret is checked there. A secret in any other parameter stays, and is an error.
    """
    if not isinstance(values, Mapping):
        return values
    return {
        name: MASK if isinstance(value, Secret) and is_secret(name, plugin.schema) else value
        for name, value in values.items()
    }


def _told(
    plugin: Plugin, error: ValidationError, node: Node, where: Position, without: frozenset[str]
) -> Iterator[PlaybookError]:
    if error.absolute_path and (about := _of_record(error)):
        yield from about(error, reduce(_child, error.absolute_path, node))
    elif error.absolute_path:
        yield _wrong(plugin.validator, error, node)
    else:
        yield from _AS_A_WHOLE[str(error.validator)](plugin, error.instance, node, where, without)


def _no_mapping(plugin: Plugin, values: Any, node: Node, *_: object) -> Iterator[PlaybookError]:
    usage = ", ".join(f"{name}: …" for name in plugin.schema["required"])
    yield PlaybookError(
        f"`{plugin.task.key}` needs a mapping of parameters, but this is {scalars.kind(values)}",
        advice=f"write `{plugin.task.key}: {{{usage}}}`",
        where=node.where,
    )


def _missing(plugin: Plugin, values: Any, _: Node, where: Position, without: frozenset[str]) -> Iterator[PlaybookError]:
    known = plugin.schema["properties"]
    for name in plugin.schema["required"]:
        if name not in (*values, *without) and not _misspelt(name, values, known):
            advice = f"add `{name}: …` ({_end(known[name]['description'])})"
            what = f"`{plugin.task.key}` needs `{name}`"
            yield PlaybookError(what, advice=advice, where=where, follows=where.source.partial)


def _unknown(plugin: Plugin, values: Any, node: Node, *_: object) -> Iterator[PlaybookError]:
    known = plugin.schema["properties"]
    listed = f"it has {', '.join(f'`{each}`' for each in known)}" if known else "it has none"
    for name in values:
        if name not in known:
            where = node.keys.get(name, node.where) if isinstance(node, Table) else node.where
            ansible = from_ansible.parameter(plugin.task.key, name)
            advice = ansible or did_you_mean(name, known, otherwise=listed)
            yield PlaybookError(f"`{plugin.task.key}` has no parameter `{name}`", advice=advice, where=where)


_AS_A_WHOLE: Mapping[str, Callable[..., Iterator[PlaybookError]]] = {
    "type": _no_mapping,
    "required": _missing,
    "additionalProperties": _unknown,
}
"""Functions that report errors of a task's parameters as a whole, by the keyword of JSON Schema that is violated."""


def _no_field(error: ValidationError, node: Node) -> Iterator[PlaybookError]:
    """The errors for unknown names in a parameter that is a record."""
    known = _schema(error)["properties"]
    for name in _names(error):
        if name not in known:
            where = _key(node, name)
            advice = did_you_mean(name, known, otherwise=f"it has {', '.join(f'`{each}`' for each in known)}")
            yield PlaybookError(f"`{_called(error)}` has no `{name}`", advice=advice, where=where)


def _lacking_field(error: ValidationError, node: Node) -> Iterator[PlaybookError]:
    for name in _schema(error)["required"]:
        if name not in _names(error):
            advice = f"add `{name}: …` ({_end(_schema(error)['properties'][name]['description'])})"
            what = f"`{_called(error)}` needs `{name}`"
            yield PlaybookError(what, advice=advice, where=node.where, follows=node.where.source.partial)


def _wrong_name(error: ValidationError, node: Node) -> Iterator[PlaybookError]:
    name, must = str(error.instance), _BOUNDS[str(error.validator)](error.validator_value)
    doc = _doc(_schema(error), "choose another")
    yield PlaybookError(f"`{_called(error)}` has the name `{name}`, which {must}", advice=doc, where=_key(node, name))


def _of_record(error: ValidationError) -> Callable[[ValidationError, Node], Iterator[PlaybookError]] | None:
    """The function that reports wrong or missing names in a parameter's mapping; None if the error is another one."""
    if "propertyNames" in error.schema_path:
        return _wrong_name
    return {"additionalProperties": _no_field, "required": _lacking_field}.get(str(error.validator))


def _schema(error: ValidationError) -> Any:
    return error.schema


def _names(error: ValidationError) -> Mapping[str, Any]:
    given: Any = error.instance
    assert isinstance(given, Mapping)
    return given


def _key(node: Node, name: str) -> Position:
    """The position of a name in a mapping; the position of the node if it is not there."""
    return node.keys.get(name, node.where) if isinstance(node, Table) else node.where


def _called(error: ValidationError) -> str:
    """The place of the wrong value in the parameters, such as ``devices[0]``."""
    name, *inner = error.absolute_path
    return f"{name}{''.join(f'[{each}]' for each in inner)}"


def _misspelt(name: str, given: Iterable[str], known: Iterable[str]) -> bool:
    """Whether one of the given names is unknown and is probably a misspelling of this one."""
    known = list(known)
    return any(nearest(each, known) == name for each in given if each not in known)


def _wrong(validator: Validator, error: ValidationError, node: Node) -> PlaybookError:
    """The error of a parameter's value, or of a part of it."""
    node = reduce(_child, error.absolute_path, node)
    schema: Any = error.schema
    if schema.get("writeOnly"):
        what = f"`{_called(error)}` must be {expected(schema)}, but this is something else"
        return PlaybookError(what, advice=_doc(schema, f"write {expected(schema)}"), where=node.where.unshown())
    bound = _BOUNDS.get(str(error.validator))
    must = bound(error.validator_value) if bound else f"must be {expected(schema)}"
    return PlaybookError(
        f"`{_called(error)}` {must}, but this is {scalars.kind(error.instance)}",
        advice=_advice(validator.evolve(schema=schema), error.instance, node),
        where=node.where,
    )


def _child(node: Node, key: str | int) -> Node:
    """The node of the part ``key``; the whole node if it has no such part, because an expression made the value."""
    if isinstance(node, Table) and isinstance(key, str):
        return node.items.get(key, node)
    if isinstance(node, Listing) and isinstance(key, int) and key < len(node.items):
        return node.items[key]
    return node


def _listed(choices: Iterable[Any]) -> str:
    return ", ".join(map(str, choices))


def _at_least(count: int, things: str) -> str:
    return "must not be empty" if count == 1 else f"must have at least {count} {things}"


def expected(schema: Schema) -> str:
    """What a schema expects, in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(expected(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return f"one of {_listed(schema['enum'])}"
    word = _TYPES.get(schema.get("type", ""), "anything")
    if schema.get("items"):
        return f"{word}, each item {expected(schema['items'])}"
    return word


def _advice(validator: Validator, value: Any, node: Node) -> str:
    """The advice for a wrong value; ``validator`` is for the schema of this value."""
    schema: Any = validator.schema
    if schema.get("pattern") == sizes.PATTERN and isinstance(value, str):
        return sizes.advice(value)
    if "enum" in schema and isinstance(value, str):
        return did_you_mean(value, map(str, schema["enum"]), otherwise=_doc(schema, "choose one of them"))
    if schema.get("type") == "string" and isinstance(value, bool | int | float) and isinstance(node, Scalar):
        return f'quote it: "{node.raw}"' if node.raw and "{{" not in node.raw else "convert it: `| string`"
    if isinstance(value, str) and _would_fit_unquoted(validator, value):
        return f"write it without quotes: {value}"
    return _doc(schema, f"write {expected(schema)}")


def _would_fit_unquoted(validator: Validator, text: str) -> bool:
    try:
        bare = scalars.resolve(text)
    except scalars.AmbiguousError:
        return False
    return not isinstance(bare, str) and validator.is_valid(bare)


def _end(doc: str) -> str:
    return doc.strip().rstrip(".")


def _doc(schema: Schema, what: str) -> str:
    """The advice ``what``, extended by examples and the description of the parameter."""
    examples = schema.get("examples")
    what += f", for example {_listed(examples)}" if examples else ""
    doc = _end(schema.get("description", ""))
    return f"{what} ({doc})" if doc else what
