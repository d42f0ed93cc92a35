"""The architecture: imports go one way, and a plugin imports the public module alone."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from places import ROOT

SOURCE = ROOT / "src" / "subfloor"

PLUGINS = ROOT / "plugins"

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
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""The rooms, and the module beside them: each imports from itself and from the layers above it here."""


def imported(path: Path) -> set[str]:
    """The rooms that a file imports from, wherever in it it does so; "" for subfloor as a whole."""
    return set(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "subfloor":
                yield from (alias.name for alias in node.names)
            elif node.module.startswith("subfloor."):
                yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from ("".join(name[1:2]) for name in names if name[0] == "subfloor")


def top(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def layer(module: str) -> int:
    return next(index for index, modules in enumerate(LAYERS) if module in modules)


MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")
NAMES = {".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__") for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    here = layer(top(path))
    upward = {name for name in imported(path) - {top(path), ""} if layer(name) >= here}
    assert not upward, f"{path.name} is of a lower layer than {', '.join(sorted(upward))}, or of the same"


def test_every_room_is_in_a_layer_and_has_its_tests() -> None:
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert rooms == {name for names in LAYERS for name in names} - {"__main__"}
    folders = {path.name for path in (ROOT / "tests" / "unit").iterdir() if list(path.glob("test_*.py"))}
    assert folders == {*rooms, "project"} - {"plugin"}  # which only lists names of other rooms


def test_no_modules_import_each_other() -> None:
    """Not even within a room, and not by a third one."""
    graph = {name: needed(path) for path in MODULES if (name := _module(path))}
    while free := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in free}
    assert not graph


def _module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def needed(path: Path) -> set[str]:
    """The modules that a file imports when it is imported itself; their packages do not count."""
    found = set[str]()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in NAMES else node.module for name in inner}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & NAMES


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("*.py")), ids=lambda path: path.name)
def test_plugins_import_the_public_module_and_nothing_else(path: Path) -> None:
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom | ast.Import)]
    assert imported(path) <= {"plugin"}
    modules = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not {name for name in modules if name.startswith(("subfloor.plugin.", "subfloor_plugins"))}
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]


@pytest.mark.parametrize("path", [*MODULES, *sorted(PLUGINS.glob("*.py"))], ids=lambda path: path.name)
def test_every_module_says_why_it_exists(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_no_plugin_asks_which_mode_it_runs_in() -> None:
    for path in PLUGINS.glob("*.py"):
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
