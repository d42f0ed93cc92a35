"""The command ``import disko``: print the playbook for a disko configuration. It looks at no disk."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from subfloor.cli.nix_evaluation import evaluated
from subfloor.cli.statuses import IN_PART
from subfloor.playbook.disko import Imported, imported
from subfloor.playbook.disko.tree import Node, decoded, from_json
from subfloor.playbook.positions import PlaybookError, Position, Source
from subfloor.playbook.registry import Registry
from subfloor.report.screen import Screen, outcome_of, standard, style_for


def disko(path: Path, root: str | None, arguments: Mapping[str, str], include: Sequence[Path]) -> int:
    """Print the playbook for the configuration in a file; returns the exit status.

    ``arguments``: the arguments of the function in the file, as Nix expressions. ``include``: further directories that
    the configuration may read. Raises ``PlaybookError`` and ``click.UsageError``.
    """
    configuration = _json(path) if path.suffix == ".json" else _nix(path, arguments, include)
    if root is not None and not root.startswith("/"):
        raise click.UsageError(f"--root {root}: give an absolute path, such as /mnt")
    found = imported(configuration, path.name, root, Registry())
    screen = Screen(standard())
    screen.write(found.text)
    _report(found)
    return outcome_of(screen, IN_PART if found.missing else 0)


def as_nix(text: str) -> str:
    """A text as a string of the Nix language, with quotes."""
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")


def _report(found: Imported) -> None:
    """Print on standard error what is not imported."""
    if not found.missing:
        return
    lines = ["Not imported, since no task can describe it:"]
    for each in found.missing:
        lines += [f"  {each.where}: {each}", f"    → {each.advice}"]
    style = style_for(sys.stderr)
    Screen(sys.stderr).print(style.clean(line) for line in lines)


def _json(path: Path) -> Node:
    """The configuration in a JSON file, such as `nix eval --json` prints. Raises ``PlaybookError``, ``UsageError``."""
    text = _text(path)
    try:
        value = json.loads(text)
    except ValueError as error:
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        raise PlaybookError(
            f"this is not JSON: {getattr(error, 'msg', error)}",
            advice="correct it; a configuration in Nix has a name that ends in .nix",
            where=Position(Source(str(path), text), line, column),
        ) from None
    except RecursionError:
        raise click.UsageError(f"{path} is nested too deeply. Name another file") from None
    where = Position(Source(str(path), ""))
    if not isinstance(value, dict):
        raise PlaybookError(
            'a configuration is an object, such as {"disk": …}', advice="name another file", where=where
        )
    return from_json(value, "" if "disko" in value else "disko.devices", where)


def _nix(path: Path, arguments: Mapping[str, str], include: Sequence[Path]) -> Node:
    _text(path)
    sources: dict[str, Source] = {}

    def source(name: str) -> Source:
        shown = str(path) if Path(name) == path.absolute() else name
        if name not in sources:
            sources[name] = Source(shown, Path(name).read_text(encoding="utf-8", errors="replace"))
        return sources[name]

    encoded: Any = evaluated(path, arguments, include)
    where = Position(Source(str(path), ""))
    if "table" not in encoded:
        raise PlaybookError(
            "it is not a set of options", advice="name a file with disko.devices, such as disk-config.nix", where=where
        )
    table = encoded["table"]
    return decoded(encoded, "" if {"disko", "devices"} & table.keys() else "disko.devices", where, source)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise click.UsageError(f"{path} cannot be read: {why}. Name a disko configuration, .nix or .json") from None
