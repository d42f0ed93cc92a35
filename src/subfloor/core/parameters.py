"""A task's YAML parameters: the JSON Schema that is derived from the fields of its class.

Validation, ``subfloor tasks NAME``, the reference pages and the schema for editors all use it, so no parameter is
described twice.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from subfloor.core.identity import Identity
from subfloor.core.secret import Secret
from subfloor.core.task import Task

T = TypeVar("T")


@dataclass(frozen=True)
class Param:
    """The documentation of one parameter, and the checks that JSON Schema makes.

    Raises ``ValueError`` for a check that JSON Schema cannot make. So every schema made from these is valid, and
    no run spends time on proving it.
    """

    doc: str
    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    min_length: int | None = None
    min_items: int | None = None
    examples: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        bounds = (self.minimum, self.maximum, self.min_length, self.min_items)
        if wrong := [bound for bound in bounds if bound is not None and type(bound) is not int]:
            raise ValueError(f"{wrong[0]!r} is not a valid bound: give a whole number")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"{self.pattern!r} is not a valid pattern: {error}") from None

    def keywords(self) -> dict[str, Any]:
        """The JSON Schema keywords (draft 2020-12) of the documentation and the checks."""
        named = {
            "description": self.doc,
            "pattern": self.pattern,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "minLength": self.min_length,
            "minItems": self.min_items,
            "examples": list(self.examples) or None,
        }
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True)
class FromPlay:
    """Marks a field that is not a parameter: ``Task.within`` fills it from the other tasks of the play."""


@dataclass(frozen=True)
class FromPlaybook(FromPlay):
    """Marks a field that gets the ``Recording`` of the play, or ``Unrecorded`` with the reason why there is none."""


def checked(parameter: str, check: Callable[[T], object], value: T) -> None:
    """Check a parameter's value with ``check``, and put the parameter's name before the message of its ``ValueError``.

    Inside ``complaints`` the message is collected, and nothing is raised.
    """
    found = _complaints.get()
    try:
        check(value)
    except ValueError as error:
        message = f"{parameter}: {error}"
        if found is None:
            raise ValueError(message) from None
        found.append(message)
    except Exception:
        if found is None:
            raise


_complaints: ContextVar[list[str] | None] = ContextVar("the messages of checks that failed", default=None)


class Unknown:
    """Stands for a value that already has an error. Every use of it raises, so no further error is reported for it."""

    def _raise(self, *_: Any) -> Any:
        raise TypeError("this value is not known")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __str__ = __format__ = _raise
    __iter__ = __len__ = __getitem__ = __contains__ = __fspath__ = __getattr__ = _raise
    __hash__ = _raise


UNKNOWN = Unknown()


def complaints(task: type[Task], values: Mapping[str, Any], identity: Any) -> tuple[str, ...]:
    """All messages with which a class refuses these values; some values may be ``UNKNOWN``.

    ``build`` raises only the first one. Here the messages of all ``checked`` calls are collected. A ``ValueError`` from
    other code is added if it starts with the name of a parameter that has no message yet, or if it is the only message
    and no value is ``UNKNOWN``.
    """
    found: list[str] = []
    token = _complaints.set(found)
    try:
        build(task, values, identity)
    except ValueError as error:
        named = {message.partition(":")[0] for message in found}
        alone = not found and not any(value is UNKNOWN for value in values.values())
        if alone or str(error).partition(":")[0] in {*parameters(task)} - named:
            found.append(str(error))
    except Exception:  # the class uses a value that is unknown or wrong
        pass
    finally:
        _complaints.reset(token)
    return tuple(found)


@cache
def _hints(class_: Any) -> Mapping[str, Any]:
    """The annotations of a dataclass's fields. They are text that must be compiled, so this is done once."""
    return get_type_hints(class_, include_extras=True)


def schema_of(task: type[Task]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a task's parameters."""
    return {"type": "object", "description": (task.__doc__ or "").strip(), **_fields(task)}


def _fields(record: Any) -> dict[str, Any]:
    """The JSON Schema keywords for the fields of a dataclass: a task, or a record among its parameters."""
    hints = _hints(record)
    given = {item.name: item for item in fields(record) if not is_given_by_play(hints[item.name])}
    return {
        "properties": {name: _property(hints[name], item) for name, item in given.items()},
        "required": [name for name, item in given.items() if _required(item)],
        "additionalProperties": False,
    }


def build(task: type[Task], values: Mapping[str, Any], identity: Identity | None) -> Task:
    """The task, from validated parameters. Lists become tuples; mappings become the records of the annotations.

    Raises ``ValueError`` if the class refuses a value, or needs an identity and the play has none.
    """
    given = [name for name, hint in _hints(task).items() if hint is Identity]
    if given and identity is None:
        raise ValueError(
            f"{task.key} derives UUIDs, and the play has no seed; add `seed:` to the play, with any string"
        )
    return cast(Task, _record(task, values, dict.fromkeys(given, identity)))


def needs_identity(task: type[Task]) -> bool:
    """Whether a task derives UUIDs, so that its play must have a seed."""
    return Identity in _hints(task).values()


@cache
def recording_fields(task: type[Task]) -> tuple[str, ...]:
    """The fields of a task that get the recording of its play."""
    notes = {name: get_args(hint)[1:] for name, hint in _hints(task).items() if get_origin(hint) is Annotated}
    return tuple(name for name, each in notes.items() if any(isinstance(note, FromPlaybook) for note in each))


def is_given_by_play(hint: Any) -> bool:
    """Whether the play fills a field, from its seed or its other tasks, so that it is not a parameter."""
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return hint is Identity or any(isinstance(note, FromPlay) for note in notes)


def _required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _property(hint: Any, item: Field[Any]) -> dict[str, Any]:
    schema = _type(hint)
    if item.default is not MISSING and item.default is not None:
        schema["default"] = _thawed(item.default)
    return schema


_PLAIN: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    bool: "boolean",
    float: "number",
    type(None): "null",
}


def _type(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        schema = _type(arguments[0])
        for note in arguments[1:]:
            schema |= note.keywords() if isinstance(note, Param) else {}
        return schema
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0])}
    if origin in (Union, types.UnionType):
        return _union([_type(each) for each in arguments if each is not type(None)])
    return _mapping(hint) if _is_mapping(hint) else _plain(hint)


def _is_mapping(hint: Any) -> bool:
    origin = get_origin(hint)
    return is_dataclass(hint) or (isinstance(origin, type) and issubclass(origin, Mapping))


def _mapping(hint: Any) -> dict[str, Any]:
    """The schema of a record, or of a mapping with any names."""
    if is_dataclass(hint):
        return {"type": "object", **_fields(cast(type[Any], hint))}
    names, values = get_args(hint)
    about = _type(names)
    allowed = {"propertyNames": about} if "pattern" in about else {}
    return {"type": "object", **allowed, "additionalProperties": _type(values)}


def _plain(hint: Any) -> dict[str, Any]:
    if hint is Secret:
        return {"type": "string", "writeOnly": True}
    return {} if hint is Any else {"type": _PLAIN[hint]}


def _union(members: list[dict[str, Any]]) -> dict[str, Any]:
    return members[0] if len(members) == 1 else {"anyOf": members}


def _record(class_: Any, values: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    hints = _hints(class_)
    return class_(**{name: _built(hints[name], value) for name, value in values.items()}, **given)


def _built(hint: Any, value: Any) -> Any:
    """A YAML value as the type that the hint requires."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated or (origin in (Union, types.UnionType) and len(arguments) == 2 and value is not None):
        return _built(arguments[0], value)
    if hint is Secret and isinstance(value, str):
        return Secret(value)
    if isinstance(value, list):
        return tuple(_built(arguments[0] if origin is tuple else Any, each) for each in value)
    if not isinstance(value, Mapping):
        return value
    if is_dataclass(hint):
        return _record(cast(type[Any], hint), value, {})
    inner = arguments[1] if _is_mapping(hint) else Any
    return {key: _built(inner, each) for key, each in value.items()}


def _thawed(value: Any) -> Any:
    return list(map(_thawed, value)) if isinstance(value, tuple) else value


def parameters(task: type[Task]) -> tuple[str, ...]:
    """The names of a task's parameters. A field that the play fills is not a parameter."""
    return tuple(schema_of(task)["properties"])
