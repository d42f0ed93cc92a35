"""The architecture: imports go one way, and a plugin imports the public module alone."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from places import ROOT

SOURCE = ROOT / "src" / "subfloor"

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"storage"}),
    frozenset({"core"}),
    frozenset({"observe"}),
    frozenset({"steps"}),
    frozenset({"nixos"}),
    frozenset({"plugin"}),
    frozenset({"act"}),
    frozenset({"playbook"}),
    frozenset({"report", "rehearse"}),
    frozenset({"ansible"}),
    frozenset({"cli", "__main__"}),
)
"""The rooms, and the modules beside them: each imports from its own layer and from those above it here."""


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
def test_plugins_import_the_public_module_and_nothing_else(path: Path) -> None:
    modules = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    assert set(imported(path)) <= {"plugin"}
    assert not {module for module in modules if module and module.startswith("subfloor.plugin.")}


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "plugins").glob("*.py"))], ids=lambda path: path.name)
def test_every_module_says_why_it_exists(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_no_plugin_asks_which_mode_it_runs_in() -> None:
    for path in (ROOT / "plugins").glob("*.py"):
        assert "check_mode" not in path.read_text()


def test_the_public_module_is_documented_whole() -> None:
    """Every name that plugins may import is in one of its groups, and the stable ones are on their page."""
    from subfloor import plugin
    from subfloor.plugin import nixos, stable, toolbox

    assert sorted(plugin.__all__) == sorted(["VERSION", *stable.__all__, *toolbox.__all__, *nixos.__all__])
    assert len(set(plugin.__all__)) == len(plugin.__all__)
    assert all(hasattr(plugin, name) for name in plugin.__all__)
    page = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    assert not [name for name in stable.__all__ if f"`{name}`" not in page]


def test_every_package_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    there = {".".join(path.parent.relative_to(SOURCE.parent).parts) for path in SOURCE.rglob("__init__.py")}
    assert there - set(listed) == set()
