"""Reports of a run that ended before it reached any host, such as for a mistake in the command line or playbook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from subfloor.cli.files import save
from subfloor.cli.statuses import REFUSED, USAGE, status_of
from subfloor.report.run import Problem, Run
from subfloor.report.screen import Screen, standard, style_for


def save_problem(path: Path, command: str, error: Exception) -> None:
    """Write the report of a run that ended with this error. Raises ``OSError``."""
    from subfloor.report.formats import render

    save(path, render(_run(command, error), path.suffix))


def print_problem(error: Exception, argv: Sequence[str]) -> None:
    """Print the error as the JSON document of its command. Print nothing if the command has no JSON output."""
    command = next((word for word in argv if not word.startswith("-")), "")
    if command not in ("check", "apply", "adopt", "rehearse", "show"):
        return
    stream = standard()
    ascii = not style_for(stream).unicode
    Screen(stream).write(_text(command, error, ascii=ascii))


def _text(command: str, error: Exception, *, ascii: bool) -> str:
    if command == "show":
        from subfloor.cli import showing

        return showing.document([Problem.of(error)], status_of(error), ascii=ascii)
    return json.dumps(_document(command, error), indent=2, ensure_ascii=ascii) + "\n"


def _document(command: str, error: Exception) -> dict[str, object]:
    from subfloor.report.json import document

    if command == "rehearse":
        return {"behaved": False, "complaints": [Problem.of(error).what], "runs": []}
    return document(_run(command, error))


def _run(command: str, error: Exception) -> Run:
    status = status_of(error)
    outcome = {USAGE: "usage-error", REFUSED: "refused"}.get(status, "failed")
    return Run(command, status, outcome, problem=Problem.of(error))
