"""The JSON Schema (draft 2020-12) of playbooks, for editors: completion, hover texts and red underlines.

It is composed of the tasks' schemas. The other modules of ``playbook`` decide what a run accepts. The schema accepts
the same, as far as a schema can; tests compare the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from subfloor.playbook.registry import Plugin
from subfloor.playbook.task_list import BUILT_IN

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string", "minLength": 1}
_EXPRESSION: _Schema = {"$ref": "#/$defs/expression"}
_CONDITION: _Schema = {"type": ["boolean", "string"]}
_VARS: _Schema = {
    "type": ["object", "null"],
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    "description": "Variables: values, which may contain expressions.",
}
_TAGS: _Schema = {
    "description": "Names by which a run can select tasks (--tags, --skip-tags); `always` and `never` as in Ansible.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}
_PERCENT = "^(100|[0-9]{1,2})%$"
_SIZE: _Schema = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^(100|[1-9][0-9]?)%$"}],
}

_COMMON: Mapping[str, _Schema] = {
    "name": {**_TEXT, "description": "The name of this entry in reports."},
    "when": {
        "description": "An expression without braces, or a list of them; the entry is skipped unless all are true.",
        "anyOf": [_CONDITION, {"type": "array", "items": _CONDITION}],
    },
    "loop": {
        "description": "Repeat the entry for each of these values; the value is the variable `item`.",
        "anyOf": [{"type": "array"}, _EXPRESSION],
    },
    "tags": _TAGS,
    "vars": _VARS,
    "include": {**_TEXT, "description": "A file of tasks to insert here; its path is relative to this file."},
    "block": {"$ref": "#/$defs/tasks", "description": "Tasks that have the keys of this entry in common."},
    "assert": {
        "type": "object",
        "description": "Conditions on variables. If one is false, the playbook has an error, and no disk is looked at.",
        "properties": {
            "that": {"anyOf": [_CONDITION, {"type": "array", "items": _CONDITION}]},
            **dict.fromkeys(("msg", "fail_msg", "success_msg"), _TEXT),
            "quiet": {"type": "boolean"},
        },
        "required": ["that"],
        "additionalProperties": False,
    },
    "fail": {
        "type": "object",
        "description": "An error of the playbook's own; use it with `when`.",
        "properties": {"msg": _TEXT},
        "additionalProperties": False,
    },
}


def playbook_schema(plugins: Iterable[Plugin]) -> _Schema:
    """The schema of a playbook that may use these tasks. ``#/$defs/part`` is the schema of an included file."""
    known = {plugin.task.key: plugin for plugin in plugins}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A subfloor playbook",
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/play"},
        "$defs": {
            "play": _play(),
            "tasks": {"type": ["array", "null"], "items": {"$ref": "#/$defs/entry"}},
            "part": _part(),
            "entry": _entry(sorted(known)),
            "expression": {"type": "string", "pattern": r"\{[{%#]"},
            **{f"task-{name}": _task(known[name].schema) for name in sorted(known)},
        },
    }


def _play() -> _Schema:
    return {
        "type": "object",
        "properties": {
            "name": {**_TEXT, "description": "The name of this play in reports."},
            "hosts": {
                "description": "The hosts of the inventory: names, groups and wildcards, separated by `:`.",
                "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
            },
            "serial": {
                "description": "The number of hosts in a batch. The last number of a list is used for all others.",
                "anyOf": [_SIZE, {"type": "array", "items": _SIZE, "minItems": 1}],
            },
            "max_fail_percentage": {
                "description": "If more percent of a batch's hosts fail, the run stops on all hosts.",
                "anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, {"type": "string", "pattern": _PERCENT}],
            },
            "seed": {
                **_TEXT,
                "description": "All UUIDs are derived from it, the host's name, and the names in the play.",
            },
            "vars": _VARS,
            "vars_files": {
                "description": "Files of variables, relative to this file; they override `vars`.",
                "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
            },
            "defaults": {
                **_VARS,
                "description": "Variables that all others override, also those of the inventory.",
            },
            "tags": _TAGS,
            "tasks": {"$ref": "#/$defs/tasks"},
        },
        "required": ["hosts", "tasks"],
        "additionalProperties": False,
    }


def _part() -> _Schema:
    whole = {
        "type": "object",
        "properties": {"defaults": _VARS, "tasks": {"$ref": "#/$defs/tasks"}},
        "required": ["tasks"],
        "additionalProperties": False,
    }
    return {"anyOf": [{"$ref": "#/$defs/tasks"}, whole]}


def _entry(names: list[str]) -> _Schema:
    return {
        "type": "object",
        "properties": {**_COMMON, **{name: {"$ref": f"#/$defs/task-{name}"} for name in names}},
        "oneOf": [{"required": [name]} for name in (*BUILT_IN, *names)],
        "additionalProperties": False,
    }


def _task(schema: Mapping[str, Any]) -> _Schema:
    """A task's parameters, or an expression for them; also null, if no parameter is required."""
    properties = {name: _templated(each) for name, each in schema["properties"].items()}
    choices: list[_Schema] = [{**schema, "properties": properties}, _EXPRESSION]
    if not schema["required"]:
        choices.append({"type": "null"})
    return {"description": schema["description"], "anyOf": choices}


def _templated(schema: Mapping[str, Any]) -> _Schema:
    """A schema that also allows an expression for the value and for each of its parts."""
    inner = dict(schema)
    about: _Schema = {key: inner.pop(key) for key in ("description", "default", "examples") if key in inner}
    for key in ("items", "additionalProperties"):
        if isinstance(inner.get(key), dict):
            inner[key] = _templated(inner[key])
    if "properties" in inner:
        inner["properties"] = {name: _templated(each) for name, each in inner["properties"].items()}
    if "anyOf" in inner:
        inner["anyOf"] = [_templated(each) for each in inner["anyOf"]]
    return {**about, "anyOf": [inner, _EXPRESSION]} if inner not in ({}, {"type": "string"}) else {**about, **inner}
