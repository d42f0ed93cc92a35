"""Steps that write the files of a configuration, and make git track them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine, Unknown
from subfloor.core.parameters import Param
from subfloor.core.task import Command, Step
from subfloor.nixos import generated, tracked
from subfloor.nixos.directory import ConfigurationDirectory
from subfloor.nixos.hardware import plain
from subfloor.nixos.sources import SELF_CHECK
from subfloor.observe.git import Tracking
from subfloor.observe.path import FILE, ROOT, Absent, Node, Text, TextFile, seen
from subfloor.observe.tool import Tool
from subfloor.steps import paths
from subfloor.steps.files import keep_output, write_file, write_files
from subfloor.steps.refusals import together

SCANNER = "nixos-generate-config"
"""The program that describes the hardware it runs on. NixOS and its installer have it."""

Source = Literal["scan", "plain"]
"""What describes the hardware: ``scan``: ``SCANNER``, if the machine has it; ``plain``: always a general text."""

HardwareSource = Annotated[
    Source,
    Param("`scan`: run nixos-generate-config if the machine has it; `plain`: write what fits most machines"),
]
Platform = Annotated[
    Literal["x86_64-linux", "aarch64-linux"], Param("The machine's platform, if nixos-generate-config does not run")
]


def check_tracked(machine: Machine, directory: ConfigurationDirectory) -> None:
    """Raise ``Refused`` if git does not track a file of the flake, other than those that subfloor writes."""
    tracked.check(directory.repository(machine), directory.here, map(directory.name, directory.ours))


def hardware(machine: Machine, directory: ConfigurationDirectory, source: Source, platform: str) -> Step | None:
    """A step that writes the file for the hardware. None if it exists: that file may be better than a new one."""
    path = directory.hardware
    if isinstance(paths.there(machine, path, FILE), Node):
        return None
    if source == "plain" or not machine[Tool(SCANNER)]:
        return _written(machine, directory, path, generated.marked(plain(platform)))
    # nixos-generate-config refuses `--root /`, though this is its default (nixos-generate-config.pl).
    root = () if directory.root == "/" else ("--root", directory.root)
    scan = (SCANNER, "--no-filesystems", "--show-hardware-config", *root)
    return Step(
        says=f"Write {path} with {SCANNER}",
        commands=(*keep_output(path, scan), *_track(machine, directory, path)),
        after=_made(machine, path, Unknown()),
    )


def missing(
    machine: Machine, texts: Mapping[str, str], overwrite: bool, unknown: Container[str] = ()
) -> Mapping[str, bytes]:
    """The contents of the generated files that must be written, by path. ``texts``: the texts of all generated files.

    ``unknown``: the files whose text depends on the result of an earlier step. Unless ``overwrite`` is given, raises
    one ``Refused`` that names all files that were edited, so no file is written.
    """
    decide = (partial(_content, machine, path, text, overwrite, path not in unknown) for path, text in texts.items())
    contents = zip(texts, together(decide), strict=True)
    return {path: content for path, content in contents if content is not None}


def _content(machine: Machine, path: str, text: str, overwrite: bool, known: bool) -> bytes | None:
    content = generated.marked(text)
    paths.there(machine, path, FILE)
    there: Text | Absent | Unknown = seen(machine, TextFile(path))
    if not known and isinstance(there, Unknown):
        return None
    if isinstance(there, Text) and generated.has_text(there.content, text):
        return None
    if isinstance(there, Text) and not generated.is_intact(there.content) and not overwrite:
        raise Refused(
            f"{path} was edited, or subfloor did not write it; it differs from the generated text:\n"
            + generated.difference(there.content, content, path),
            advice="move your own settings into local.nix beside it and remove the file, or give `overwrite: true`",
        )
    return content


def files(
    machine: Machine, directory: ConfigurationDirectory, contents: Mapping[str, bytes], unknown: Container[str] = ()
) -> list[Step]:
    """A step for each of these files, in their order. ``unknown``: as for ``missing``."""
    return [
        replace(step, after=_made(machine, path, Unknown())) if path in unknown else step
        for path, content in contents.items()
        for step in [_written(machine, directory, path, content)]
    ]


def copies(
    machine: Machine,
    directory: ConfigurationDirectory,
    contents: Mapping[str, bytes],
    program: Callable[[], bytes] | None,
) -> Step | None:
    """A step that writes the files with which the system checks itself; None if no file is missing.

    ``contents``: the files to write. ``program``: returns the content of subfloor's own file. The name of that file
    contains a digest of the content, so an existing file of this name is not written again.
    """
    path = directory.program
    bring = program is not None and not isinstance(paths.there(machine, path, FILE), Node)
    written = {**({path: program()} if program and bring else {}), **contents}
    if not written:
        return None
    after = machine
    for each in written:
        after = paths.made(after, each, Node(FILE, 0o644, ROOT, ROOT))
    return Step(
        says=f"Write {_named(directory, tuple(written))}",
        commands=(*write_files(written), *_track(machine, directory, *written)),
        after=after.updated({TextFile(each): Text(content) for each, content in contents.items()}),
    )


def _named(directory: ConfigurationDirectory, written: Sequence[str]) -> str:
    if len(written) == 1:
        return written[0]
    return f"{len(written)} files to {directory.file(SELF_CHECK)}, by which the installed system checks itself"


def tracking(machine: Machine, directory: ConfigurationDirectory) -> Step | None:
    """A step that makes git track files that an earlier run wrote; None if git tracks all of them."""
    repository = directory.repository(machine)
    untracked = [path for path in directory.ours if repository and directory.name(path) in repository.untracked]
    if not repository or not untracked:
        return None
    names = frozenset(map(directory.name, untracked))
    return Step(
        says=f"Make git track {', '.join(sorted(names))} in {directory.here}",
        commands=(tracked.track(directory.here, names),),
        after=machine.with_(Tracking(directory.here), replace(repository, untracked=repository.untracked - names)),
    )


def _written(machine: Machine, directory: ConfigurationDirectory, path: str, content: bytes) -> Step:
    return Step(
        says=f"Write {path}",
        commands=(*write_file(path, content), *_track(machine, directory, path)),
        after=_made(machine, path, Text(content)),
    )


def _track(machine: Machine, directory: ConfigurationDirectory, *written: str) -> tuple[Command, ...]:
    """Commands that make git track files that were just written, if the flake is in a repository."""
    return (tracked.track(directory.here, map(directory.name, written)),) if directory.repository(machine) else ()


def owned(machine: Machine, generated_files: Iterable[str]) -> Step | None:
    """A step that gives a generated file back to root alone: who can write it can make root build anything.

    A file that others cannot read stays so.
    """
    for path in generated_files:
        there = paths.there(machine, path, FILE)
        if isinstance(there, Node) and not (there.owner >= ROOT and there.group >= ROOT and not there.mode & 0o022):
            return paths.mend(machine, path, there, _NODE)
    return None


_NODE = Node(FILE, 0o644, ROOT, ROOT)


def _made(machine: Machine, path: str, content: Text | Unknown) -> Machine:
    return paths.made(machine, path, Node(FILE, 0o644, ROOT, ROOT)).updated({TextFile(path): content})
