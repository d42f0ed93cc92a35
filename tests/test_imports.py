"""The architecture, held: imports go one way, and a plugin knows the contract and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "subfloor"

LAYERS: tuple[frozenset[str], ...] = (
    # Values and arithmetic that know nothing of the rest.
    frozenset({"errors", "faults", "machine", "identity", "sizes", "disks", "installed", "secret"}),
    frozenset({"subjects"}),
    # The contract.
    frozenset({"task"}),
    frozenset({"parameters", "steps", "nixos", "outcome", "consent"}),
    # The loop, and what touches the world.
    frozenset({"engine"}),
    frozenset({"endgroup", "exchange", "frames", "locks"}),
    frozenset({"host", "observe"}),
    frozenset({"aliases", "same_disks", "twins"}),
    frozenset({"apply"}),
    # What people write, and what they read.
    frozenset({"playbook", "inventory", "plugins"}),
    frozenset({"report", "vm"}),
    # One run: what is asked for, what is done about it.
    frozenset({"gather"}),
    frozenset({"run", "rehearse"}),
    frozenset({"cli", "__main__"}),
)
"""A module imports from its own layer and those above it here."""

FOR_PLUGINS = frozenset().union(*LAYERS[:4]) - {"outcome", "consent"}


def imported(path: Path) -> Iterator[str]:
    """The names of subfloor's own top-level modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "subfloor":
                yield from (alias.name for alias in node.names)
            elif node.module.startswith("subfloor."):
                yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("subfloor."))


def top(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def layer(module: str) -> int:
    return next(index for index, modules in enumerate(LAYERS) if module in modules)


MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    here = layer(top(path))
    upward = {name for name in imported(path) if layer(name) > here}
    assert not upward, f"{path.name} is of a lower layer than {', '.join(sorted(upward))}"


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").glob("*.py")), ids=lambda path: path.name)
def test_plugins_know_the_contract_and_nothing_else(path: Path) -> None:
    assert set(imported(path)) <= FOR_PLUGINS


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "plugins").glob("*.py"))], ids=lambda path: path.name)
def test_every_module_says_why_it_exists(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_no_plugin_asks_which_mode_it_runs_in() -> None:
    for path in (ROOT / "plugins").glob("*.py"):
        assert "check_mode" not in path.read_text()
