"""Record what a play was read from: playbook, parts, plugins and variables, without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from subfloor.core.recording import Recording, Unrecorded
from subfloor.core.secret import Secret
from subfloor.core.task import Task
from subfloor.playbook import templates
from subfloor.playbook.as_written import items, names_read
from subfloor.playbook.connections import CONNECTION_VARS
from subfloor.playbook.inventory import Target
from subfloor.playbook.plays import Play
from subfloor.playbook.program import modules, program
from subfloor.playbook.secret_names import SecretNames
from subfloor.playbook.strict_yaml import Node, Scalar, Table
from subfloor.playbook.variables import Deferred, Vars
from subfloor.playbook.yaml_text import inventory_text, value_text

PLAYBOOK, INVENTORY, VARIABLES = "playbook.yml", "inventory.yml", "variables.yml"
"""The names of these files in a recording. Parts and plugins keep their paths relative to the playbook."""

MARK = re.compile(r"# subfloor sha256=[0-9a-f]{64} [^\n]*\n")
"""The first line of a file that subfloor wrote from a recording. It is no part of the recorded text."""

_CRYPTED = re.compile(r"\$(?:[156y]|2[abxy]|gy|7|sha1)\$")
"""The start of a password hash (crypt(5)), anywhere in a text."""

_ALONE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


@dataclass(frozen=True)
class Recorder:
    """Records the plays of one playbook file."""

    path: Path
    plays: tuple[Play, ...]

    def record(self, target: Target, extra: Vars, params: Node, tasks: Iterable[Task]) -> Recording | Unrecorded:
        """The recording of the plays for one host, or the reason why there is none.

        ``params``: the parameters of the task that writes the recording; ``tasks``: all tasks of its play.
        """
        if not self.path.is_file():
            return Unrecorded("it is not in a file", "write it to one")
        secret = SecretNames.of(self.plays, (target.vars, extra))
        if secret.written:
            where = secret.written[0]
            return Unrecorded(f"it contains a secret ({where})", "give secrets with --ask-passphrase or --ask-password")
        if outside := self._outside:
            return Unrecorded(f"{outside} does not lie below the playbook's directory", "move it there")
        used = names_read(self.plays, (target.vars, extra)) - secret.names
        given, own = _fetched(extra, used), _fetched(target.vars, used)
        recording = Recording(
            files=self._texts,
            variables={name: value_text(each) for name, each in given.items() if _is_kept(name, each, used)},
            inventory=inventory_text(target, {name: each for name, each in own.items() if _is_kept(name, each, used)}),
            set_by=dict(_set_by(params)),
            modules=modules(),
            program=program(),
        )
        return _without_secrets(recording, tasks, extra)

    @property
    def _folder(self) -> Path:
        return self.path.parent

    @cached_property
    def _sources(self) -> Mapping[str, Path]:
        """The paths of the files to record, by their names in the recording."""
        plugins = sorted((self._folder / "plugins").glob("*.py"))
        below = [each for each in (*self._read, *plugins) if each.is_relative_to(self._folder)]
        return {PLAYBOOK: self.path, **{str(each.relative_to(self._folder)): each for each in below}}

    @cached_property
    def _read(self) -> tuple[Path, ...]:
        """The paths of all parts and all files of variables that the plays use."""
        parts = (item.where.source.name for play in self.plays for item in items(play))
        of_vars = (path for play in self.plays for path in play.files.paths_of_vars)
        return tuple(Path(each) for each in dict.fromkeys((*parts, *of_vars)) if Path(each) != self.path)

    @property
    def _outside(self) -> str:
        """The path of a file that the recording cannot hold under its relative path; empty if there is none."""
        taken = {self._folder / name for name in (PLAYBOOK, INVENTORY, VARIABLES)}
        return next((str(each) for each in self._read if each in taken or not each.is_relative_to(self._folder)), "")

    @cached_property
    def _texts(self) -> Mapping[str, str]:
        return {name: _text(path) for name, path in self._sources.items()}


def _text(path: Path) -> str:
    """The text of a file, without the line that marks it as recorded."""
    text = path.read_bytes().decode("utf-8-sig")
    return text[found.end() :] if (found := MARK.match(text)) else text


def _fetched(variables: Vars, used: set[str]) -> Vars:
    """The variables that are used, with their values."""
    kept = {name: each for name, each in variables.items() if name in used}
    return {name: each.fetch() if isinstance(each, Deferred) else each for name, each in kept.items()}


def _is_kept(name: str, value: object, used: set[str]) -> bool:
    if name not in used or name in CONNECTION_VARS or isinstance(value, Secret):
        return False
    return not _CRYPTED.search(value_text(value))


def _set_by(params: Node) -> Iterator[tuple[str, str]]:
    """Each parameter whose value is only one variable, such as ``{{ disk }}``, and the name of that variable."""
    for name, node in params.items.items() if isinstance(params, Table) else ():
        text = node.value if isinstance(node, Scalar) else None
        if isinstance(text, str) and templates.has_expression(text) and (alone := _ALONE.fullmatch(text.strip())):
            yield name, alone[1]


def _without_secrets(recording: Recording, tasks: Iterable[Task], extra: Vars) -> Recording | Unrecorded:
    """The recording, or ``Unrecorded`` if it contains a password hash or the secret of a task.

    Secrets among the ``extra`` variables are not searched for: the recording contains such a text only by chance.
    """
    typed = {each for each in extra.values() if isinstance(each, Secret)}
    secrets = {each for task in tasks for each in vars(task).values() if isinstance(each, Secret)} - typed
    texts: Sequence[str] = (*recording.files.values(), *recording.variables.values(), recording.inventory)
    if any(map(_CRYPTED.search, texts)) or any(
        each.reveal() and each.reveal() in text for each in secrets for text in texts
    ):
        return Unrecorded("it or its variables contain a secret", "give it with --ask-passphrase or --ask-password")
    return recording
