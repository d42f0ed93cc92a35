"""Evaluation of a disko configuration by ``nix-instantiate``.

During the evaluation, Nix builds, writes and fetches nothing. It reads only the directory of the file, the directories
that the user names, and the paths in NIX_PATH (``restrict-eval``, nix.conf(5)). No Nix store is needed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from subfloor.core.errors import SubfloorError
from subfloor.playbook.positions import PlaybookError, Position, Source

_PATIENCE = 120.0
"""Seconds that an evaluation may take."""

_SAFE = (
    *("--eval", "--strict", "--json", "--readonly-mode", "--store", "dummy://"),
    *("--option", "restrict-eval", "true"),
    *("--option", "allowed-uris", ""),
    *("--option", "allow-import-from-derivation", "false"),
    *("--option", "allow-unsafe-native-code-during-evaluation", "false"),
    *("--option", "plugin-files", ""),
)

_AT = re.compile(r"at (?P<file>/.+?):(?P<line>\d+)(:(?P<column>\d+))?:")

HOW_TO_MAKE_JSON = (
    "nix eval --json .#nixosConfigurations.HOST.config.disko.devices --apply "
    "'let data = v: if builtins.isAttrs v then builtins.mapAttrs (n: data) (removeAttrs v (builtins.filter "
    '(n: builtins.substring 0 1 n == "_") (builtins.attrNames v))) else if builtins.isList v then map data v else v; '
    "in data' > disko.json"
)
"""The command that evaluates the whole system of a flake, and prints its disks without disko's own functions."""


def evaluated(path: Path, arguments: Mapping[str, str], include: Sequence[Path]) -> Any:
    """What ``evaluate.nix`` returns for a file. Raises ``PlaybookError`` at the position that Nix reports."""
    program = shutil.which("nix-instantiate")
    where = Position(Source(str(path), ""))
    if program is None:
        raise PlaybookError(
            "`nix-instantiate`, which evaluates a configuration in Nix, is not installed here",
            advice=f"give its JSON instead; on a machine with Nix: {HOW_TO_MAKE_JSON}",
            where=where,
        )
    absolute = path.absolute()
    allowed = [word for each in (absolute.parent, *include) for word in ("-I", f"subfloor-reads={each.absolute()}")]
    given = "{ " + " ".join(f"{name} = ({value});" for name, value in arguments.items()) + " }"
    text = files("subfloor.playbook.disko").joinpath("evaluate.nix").read_text(encoding="utf-8")
    argv = [program, *_SAFE, *allowed, "--argstr", "file", str(absolute), "--arg", "arguments", given, "-E", text]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_PATIENCE, errors="replace")
    except subprocess.TimeoutExpired:
        raise PlaybookError(
            f"its evaluation takes more than {_PATIENCE:.0f} seconds",
            advice=f"give its JSON instead: {HOW_TO_MAKE_JSON}",
            where=where,
        ) from None
    except OSError as error:
        raise SubfloorError(f"{program} cannot be run: {error.strerror}", advice="install Nix, or give JSON") from None
    if done.returncode:
        raise _error(path, done.stderr)
    return json.loads(done.stdout)


def _error(path: Path, told: str) -> PlaybookError:
    """The error that Nix reports, with its position."""
    lines = [line for line in told.splitlines() if line.startswith("error:")]
    what = lines[-1].removeprefix("error:").strip() if lines else told.strip() or "nix-instantiate failed"
    what = what.removeprefix("subfloor: ")
    return PlaybookError(what, advice=_advice(what), where=_position(path, told))


def _position(path: Path, told: str) -> Position:
    """The last position in a file that Nix reports; if there is none, ``path`` without a line."""
    found = [each for each in _AT.finditer(told) if Path(each["file"]).is_file()]
    if not found:
        return Position(Source(str(path), ""))
    name = str(path) if Path(found[-1]["file"]) == path.absolute() else found[-1]["file"]
    text = Path(found[-1]["file"]).read_text(encoding="utf-8", errors="replace")
    return Position(Source(name, text), int(found[-1]["line"]), int(found[-1]["column"] or 1))


def _advice(what: str) -> str:
    if name := re.search(r"needs the argument '([^']+)'", what):
        return f"give it: --arg {name[1]} EXPRESSION; or give JSON of the whole system: {HOW_TO_MAKE_JSON}"
    if "restricted mode" in what:
        return "if the configuration may read it, name its directory: --include DIRECTORY"
    if "search path" in what:
        return f"set NIX_PATH, as in NIX_PATH=nixpkgs=/path; or give JSON: {HOW_TO_MAKE_JSON}"
    return "correct the configuration, so that Nix can evaluate it"
