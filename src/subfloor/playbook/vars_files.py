"""Files of variables: ``group_vars/`` and ``host_vars/``, beside an inventory and beside a playbook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from subfloor.playbook import strict_yaml
from subfloor.playbook.positions import Problems
from subfloor.playbook.strict_yaml import Node

_ENDS = ("", ".yml", ".yaml", ".json")


class VarsFiles:
    """The variables of groups and hosts in these directories. A later directory overrides an earlier one."""

    def __init__(self, directories: tuple[Path, ...]) -> None:
        self._directories = directories
        self._read: dict[Path, Node | None] = {}

    def of_group(self, name: str, problems: Problems) -> Iterator[Node]:
        """The files of a group."""
        return self._below("group_vars", name, problems)

    def of_host(self, name: str, problems: Problems) -> Iterator[Node]:
        """The files of a host."""
        return self._below("host_vars", name, problems)

    def _below(self, kind: str, name: str, problems: Problems) -> Iterator[Node]:
        for path in (path for directory in self._directories for path in _paths(directory / kind, name)):
            if path not in self._read:
                self._read[path] = None
                with problems.kept():
                    self._read[path] = strict_yaml.read(path, problems)
            if node := self._read[path]:
                yield node


def _paths(directory: Path, name: str) -> Iterator[Path]:
    """The files of a name: ``NAME``, ``NAME.yml``, or all YAML files of the directory ``NAME``."""
    for end in _ENDS:
        path = directory / f"{name}{end}"
        if path.is_dir() and not end:
            yield from sorted(each for each in path.iterdir() if each.suffix in _ENDS and each.is_file())
        elif path.is_file():
            yield path
