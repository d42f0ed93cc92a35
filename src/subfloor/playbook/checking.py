"""A task's parameters held against their schema, each error at the key or value that is wrong.

This knows just the keywords of JSON Schema that ``parameters`` derives from a class. The tests hold it
to a full validator; that one is not used here, because importing it takes longer than all the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from subfloor.playbook import scalars
from subfloor.playbook.positions import PlaybookError, Position, Source, did_you_mean, nearest
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table

Schema = Mapping[str, Any]
Report = Callable[[PlaybookError], None]

_NOWHERE = Position(Source("", ""))

_CLASSES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}

_WORDS: Mapping[str, str] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
    "array": "a list",
    "object": "a mapping",
}


def check(task: str, schema: Schema, values: Any, node: Node, where: Position, report: Report) -> None:
    """Report everything in a task's parameters that its schema does not allow.

    ``values`` are the parameters with all expressions evaluated, ``node`` is how they are written, and
    ``where`` is the position of the task's key.
    """
    if not isinstance(values, dict):
        wrong = f"`{task}` takes a mapping of parameters, and this is {scalars.kind(values)}"
        report(PlaybookError(wrong, advice=f"write `{task}: {{{_usage(schema)}}}`", where=node.where))
        return
    for name in schema["required"]:
        if name not in values and not misspelt(name, values, schema["properties"]):
            report(_missing(task, schema, name, where))
    for name, value in values.items():
        here = _child(node, name)
        if name in schema["properties"]:
            _check(name, schema["properties"][name], value, here, report)
        else:
            report(_unknown(task, schema, name, _key(node, name)))


def _usage(schema: Schema) -> str:
    return ", ".join(f"{name}: …" for name in schema["required"])


def _missing(task: str, schema: Schema, name: str, where: Position) -> PlaybookError:
    doc = schema["properties"][name].get("description", "")
    return PlaybookError(f"`{task}` needs `{name}`", advice=f"add `{name}: …`{doc and f' ({_end(doc)})'}", where=where)


def _unknown(task: str, schema: Schema, name: str, where: Position) -> PlaybookError:
    known = list(schema["properties"])
    listed = f"it has {', '.join(f'`{each}`' for each in known)}" if known else "it has none"
    return PlaybookError(
        f"`{task}` has no parameter `{name}`", advice=did_you_mean(name, known, otherwise=listed), where=where
    )


def misspelt(name: str, given: Iterable[str], known: Iterable[str]) -> bool:
    """Whether one of the given names is unknown, and most likely stands for this one."""
    known = list(known)
    return any(nearest(each, known) == name for each in given if each not in known)


def _end(doc: str) -> str:
    return doc.strip().rstrip(".")


def _child(node: Node, key: str | int) -> Node:
    """The part of a node that a part of its value comes from: the whole, where an expression made it."""
    if isinstance(node, Table) and isinstance(key, str):
        return node.items.get(key, node)
    if isinstance(node, Listing) and isinstance(key, int) and key < len(node.items):
        return node.items[key]
    return node


def _key(node: Node, name: str) -> Position:
    return node.keys.get(name, node.where) if isinstance(node, Table) else node.where


def _check(name: str, schema: Schema, value: Any, node: Node, report: Report) -> None:
    wrong = _wrong(schema, value)
    if wrong:
        advice = _advice(schema, value, node)
        report(PlaybookError(f"`{name}` {wrong}, and this is {scalars.kind(value)}", advice=advice, where=node.where))
    elif "anyOf" in schema:
        _check(name, next(each for each in schema["anyOf"] if _fits(each, value)), value, node, report)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(f"{name}[{index}]", schema.get("items", {}), item, _child(node, index), report)
    elif isinstance(value, dict):
        rest = schema.get("additionalProperties", {})
        for key, item in value.items():
            _check(f"{name}[{key}]", rest, item, _child(node, key), report)


def _fits(schema: Schema, value: Any) -> bool:
    """Whether a value is as the schema wants it, with everything in it."""
    found: list[PlaybookError] = []
    nowhere = Scalar(None, _NOWHERE)
    _check("", schema, value, nowhere, found.append)
    return not found


def _wrong(schema: Schema, value: Any) -> str:
    """What a value itself (not what is in it) should be and is not; empty when it is well."""
    if "enum" in schema:
        return "" if _among(value, schema["enum"]) else f"must be one of {_listed(schema['enum'])}"
    if "anyOf" in schema:
        return "" if any(_fits(each, value) for each in schema["anyOf"]) else f"must be {expected(schema)}"
    if "type" in schema and not _is(schema["type"], value):
        return f"must be {expected(schema)}"
    return _out_of_bounds(schema, value)


def _among(value: Any, choices: list[Any]) -> bool:
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in choices)


def _listed(choices: list[Any]) -> str:
    return ", ".join(str(choice) for choice in choices)


def _is(type_: str, value: Any) -> bool:
    if isinstance(value, bool):
        return type_ == "boolean"
    # JSON Schema counts 1.0 as an integer; Python's range() and ours do not.
    return isinstance(value, _CLASSES[type_])


def _out_of_bounds(schema: Schema, value: Any) -> str:
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            return _at_least(schema["minLength"], "characters")
        fits = "pattern" not in schema or re.search(schema["pattern"], value)
        return "" if fits else f"must match {schema['pattern']}"
    if isinstance(value, list):
        return _at_least(schema["minItems"], "items") if len(value) < schema.get("minItems", 0) else ""
    return _out_of_range(schema, value) if isinstance(value, int | float) else ""


def _at_least(count: int, things: str) -> str:
    return "must not be empty" if count == 1 else f"must have at least {count} {things}"


def _out_of_range(schema: Schema, value: float) -> str:
    if value < schema.get("minimum", value):
        return f"must be at least {schema['minimum']}"
    if value > schema.get("maximum", value):
        return f"must be at most {schema['maximum']}"
    return ""


def expected(schema: Schema) -> str:
    """What a schema wants, in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(expected(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return f"one of {_listed(schema['enum'])}"
    word = _WORDS.get(schema.get("type", ""), "anything")
    if schema.get("items"):
        return f"{word}, each item {expected(schema['items'])}"
    return word


def _advice(schema: Schema, value: Any, node: Node) -> str:
    if "enum" in schema and isinstance(value, str):
        return did_you_mean(value, map(str, schema["enum"]), otherwise=_doc(schema, "choose one of them"))
    if schema.get("type") == "string" and isinstance(value, bool | int | float) and isinstance(node, Scalar):
        return f'quote it: "{node.raw}"' if node.raw and "{{" not in node.raw else "convert it: `| string`"
    if isinstance(value, str) and _would_fit_unquoted(schema, value):
        return f"write it without quotes: {value}"
    return _doc(schema, f"write {expected(schema)}")


def _would_fit_unquoted(schema: Schema, text: str) -> bool:
    try:
        bare = scalars.resolve(text)
    except scalars.AmbiguousError:
        return False
    return not isinstance(bare, str) and _fits(schema, bare)


def _doc(schema: Schema, what: str) -> str:
    """What to do, and what the parameter is about."""
    examples = schema.get("examples")
    what += f", for example {_listed(examples)}" if examples else ""
    doc = _end(schema.get("description", ""))
    return f"{what} ({doc})" if doc else what
