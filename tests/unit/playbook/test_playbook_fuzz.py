"""Whatever is in a file: a playbook, or an error with its place. Never a traceback, never a hang."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fuzzing import fuzzed
from playbook_samples import entries, written
from subfloor.playbook import inventory, scalars, strict_yaml
from subfloor.playbook.positions import PlaybookError, Source

_SETTINGS = fuzzed(100)

_PIECES = (
    "- hosts: all\n",
    "  tasks:\n", "  - wipe: ", "{device: /dev/vda}\n", "  - make:\n", "      device: ", "      type: ext4\n",
    "{{ x }}", '"{{ ', " }}\"\n", "{% if x %}", "when: ", "loop: ", "[", "]",
    "{", "}", "&a ", "*a", "<<: *a", "yes", "0644",
    ": ", "- ", "\n", "  ", "\t", "'", '"', "|\n", ">\n", "#", "!!str ", "? ", "---\n", "...\n", "%YAML 1.2\n", ",",
    "\x85", "\u2028", "\ufeff", "é", "\r\n", "1e3", "name: ", "vars: ", "include: play.yml\n",
)  # fmt: skip

_WORDS = st.sampled_from(
    ["hosts", "tasks", "wipe", "make", "device", "when", "loop", "vars", "name", "tags", "include"]
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["all", "/dev/vda", "{{ disk }}", "{{ item }}", "{{", "x is defined", "play.yml", "{{ [1] }}"])
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
_ENTRY = st.fixed_dictionaries(
    {}, optional={"wipe": _TREES, "make": _TREES, "when": _TREES, "loop": _TREES, "vars": _TREES, "name": _TREES}
)
_PLAYBOOKS = st.lists(
    st.fixed_dictionaries({"hosts": st.just("all"), "tasks": st.lists(_ENTRY, max_size=3)}, optional={"vars": _TREES}),
    max_size=2,
)


def attempt(path: Path) -> None:
    """Load a file as a playbook and as an inventory; an error must have words, a place and advice."""
    for load in (entries, lambda each: [target.connection() for target in inventory.load(each).targets]):
        try:
            load(path)
        except PlaybookError as error:
            for each in error.all:
                assert each.what and each.advice and str(each)
                assert each.where.line >= 1 and each.where.column >= 1


@_SETTINGS
@given(st.binary(max_size=200))
@example(b"\xff\xfe-\x00")
@example(b"\xef\xbb\xbf")
@example(b"- \xc2\x85 a: b\n c")
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "play.yml"
    path.write_bytes(content)
    attempt(path)


@_SETTINGS
@given(st.lists(st.sampled_from(_PIECES), max_size=30).map("".join))
def test_pieces_of_playbooks(tmp_path: Path, text: str) -> None:
    attempt(written(tmp_path, text))


@_SETTINGS
@given(_TREES | _PLAYBOOKS)
def test_any_yaml(tmp_path: Path, tree: Any) -> None:
    attempt(written(tmp_path, yaml.safe_dump(tree, allow_unicode=True)))


@_SETTINGS
@given(st.text(alphabet="0123456789+-.:_eExXoObBtTzZ abcfinNyYrRuUlLsS~", max_size=12))
def test_a_plain_scalar_is_what_pyyaml_reads_or_an_error(text: str) -> None:
    """Wherever we do not refuse a scalar, we agree with YAML 1.1, too."""
    try:
        ours = scalars.resolve(text.strip())
    except scalars.AmbiguousError:
        return
    try:
        theirs = yaml.safe_load(f"[{text.strip() or '~'}]")
    except (yaml.YAMLError, ValueError):
        return
    if isinstance(theirs[0], dict):
        return
    assert theirs == [ours] and type(theirs[0]) is type(ours)


@_SETTINGS
@given(
    st.recursive(
        _LEAVES.filter(lambda leaf: leaf == leaf),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=20,
    )
)
def test_a_tree_is_what_pyyaml_reads_or_an_error(tree: Any) -> None:
    text = yaml.safe_dump(tree, allow_unicode=True)
    try:
        node = strict_yaml.parse(Source("f", text))
    except PlaybookError:
        return
    assert strict_yaml.plain(node) == yaml.safe_load(text)


def test_a_large_file_of_mistakes_ends_soon(tmp_path: Path) -> None:
    path = written(tmp_path, "- [yes, 0644]\n" * 70_000)
    started = time.process_time()  # other programs may have the processors
    attempt(path)
    assert time.process_time() - started < 20
