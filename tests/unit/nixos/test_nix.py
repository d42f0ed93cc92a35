"""Nix text: whatever the value, Nix reads it back as it was."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subfloor.nixos import nix

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_NASTY = st.lists(
    st.sampled_from(["${", "$", "{", "}", '"', "''", "\\", "\n", "\r", "\t", "$${", "\\${", "#", "/*", ";", "é", "x"])
).map("".join)
_STRINGS = _TEXT | _NASTY
_NAMES = _STRINGS | st.sampled_from(["if", "or", "rec", "inherit", "a-b", "a'b", "-a", "1", "a.b", "", "__functor"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | _STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


def evaluate(expression: str, home: Path) -> Any:
    """What Nix makes of an expression."""
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--store", f"{home}/store", "-"],
        input=expression.encode(),
        capture_output=True,
        env=os.environ | {"NIX_STATE_DIR": f"{home}/state", "NIX_LOG_DIR": f"{home}/log", "HOME": str(home)},
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr.decode()}\n{expression}"
    return json.loads(done.stdout)


@settings(max_examples=25, deadline=None)
@given(st.lists(_VALUES, min_size=20, max_size=40))
def test_nix_reads_every_value_back(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    """A batch a call, since a call costs a process. Attributes named as nix --json treats specially are left out."""
    plain = [value for value in values if not _is_special(value)]
    assert evaluate(nix.render(plain), tmp_path_factory.getbasetemp()) == plain


def _is_special(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value.keys() & {"outPath", "__toString", "__functor"}) or any(map(_is_special, value.values()))
    return isinstance(value, list) and any(map(_is_special, value))


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(_STRINGS, min_size=20))
def test_a_comment_ends_where_it_should(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    expression = "".join(nix.comment(text) for text in texts) + "true"
    assert evaluate(expression, tmp_path_factory.getbasetemp()) is True


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a${b}", r'"a\${b}"'),
        ("$${b}", r'"$\${b}"'),
        ('"\\\n\r\t', r'"\"\\\n\r\t"'),
        ("''", "\"''\""),
        (True, "true"),
        (None, "null"),
        (-1, "(-1)"),
        ([], "[ ]"),
        ({}, "{ }"),
        ([-1, "a"], '[ (-1) "a" ]'),
        ({"if": 1, "a'b": 2, "a b": 3}, '{\n  "if" = 1;\n  a\'b = 2;\n  "a b" = 3;\n}'),
        (["x" * 60, "y" * 60], f'[\n  "{"x" * 60}"\n  "{"y" * 60}"\n]'),
        ({"a": [{"b": 1}]}, "{\n  a = [\n    {\n      b = 1;\n    }\n  ];\n}"),
        ({"a": {"b c": {"d": 1}}, "e": {"f": {}}}, '{\n  a."b c".d = 1;\n  e.f = { };\n}'),
        ({"a": {"b": 1, "c": {"d": 2}}}, "{\n  a = {\n    b = 1;\n    c.d = 2;\n  };\n}"),
    ],
)
def test_text(value: nix.Value, text: str) -> None:
    assert nix.render(value) == text


@pytest.mark.parametrize("value", ["\0", "\ud800", 2**63, -(2**63)])
def test_values_without_a_nix_literal_are_refused(value: nix.Value) -> None:
    with pytest.raises(ValueError, match=r"Nix"):
        nix.render(value)
