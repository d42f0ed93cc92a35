"""A deliberate fault in the code, and whether the tests notice it.

A mutant is applied to a copy of the tree, never in place, and the tests that are named with it are run there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from places import ROOT

_COPIED = (
    "src",
    "plugins",
    "tests",
    "playbooks",
    "inventory",
    "pyproject.toml",
    "README.md",
    "CONTRIBUTING.md",
    "docs",
)
_DEADLINE = 300.0


@dataclass(frozen=True)
class Mutant:
    """One small replacement, ``old`` by ``new``, in ``file``; ``why`` says what is lost with it.

    ``tests``: arguments of pytest that choose those of which at least one must fail.
    """

    why: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def fits(self) -> int:
        """How many times the code has what it replaces: once, or the mutant is out of date."""
        return (ROOT / self.file).read_text("utf-8").count(self.old)

    def apply(self, tree: Path) -> None:
        path = tree / self.file
        path.write_text(path.read_text("utf-8").replace(self.old, self.new), "utf-8")


@dataclass(frozen=True)
class Verdict:
    """What the tests made of a mutant: the one that failed, if any did; ``said`` is what pytest said last."""

    caught_by: str | None
    said: str


def plant(tree: Path) -> Path:
    """A copy of the tree whose packages come before those that are installed."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tree / name)
    (tree / "packages").mkdir()
    (tree / "packages" / "subfloor").symlink_to(tree / "src" / "subfloor")
    (tree / "packages" / "subfloor_plugins").symlink_to(tree / "plugins")
    return tree


def judge(tree: Path, tests: tuple[str, ...]) -> Verdict:
    """Run the tests in that tree, up to the first that fails.

    Raises ``RuntimeError`` where they did not run: a mutant that breaks the collection proves nothing.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree / "packages"), "PYTHONDONTWRITEBYTECODE": "1"}
    where = "import subfloor, subfloor_plugins.mkfs as m; print(subfloor.__file__, m.__file__)"
    found = subprocess.run([sys.executable, "-c", where], env=environment, cwd=tree, capture_output=True, text=True)
    if not all(path.startswith(str(tree)) for path in found.stdout.split()) or not found.stdout:
        raise RuntimeError(f"the copy's code is not what would be tested: {found.stdout}{found.stderr}")
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line", *tests]
    try:
        ran = subprocess.run(pytest, env=environment, cwd=tree, capture_output=True, text=True, timeout=_DEADLINE)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"the tests did not end within {_DEADLINE:.0f} s") from error
    if ran.returncode not in (0, 1):
        raise RuntimeError(f"the tests did not run:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+::.*?)(?: - .*)?$", ran.stdout, re.MULTILINE)
    return Verdict(failed[1] if failed and ran.returncode == 1 else None, ran.stdout[-2000:])
