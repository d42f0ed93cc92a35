"""The commands that documents show in blocks of code, and what a reader has when he types them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from places import ROOT

DOCUMENTS = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])

PROGRAMS: Mapping[str, frozenset[str]] = {
    program: frozenset(options.split())
    for program, options in {
        "ansible-doc": "",
        "cat": "",
        "cd": "",
        "chmod": "",
        "cp": "",
        "cryptsetup": "",
        "echo": "",
        "exit": "",
        "export": "",
        "findmnt": "--list --output",
        "journalctl": "-u",
        "jq": "-r",
        "ls": "-l",
        "make": "",
        "mdadm": "--stop",
        "nix": "--apply --extra-experimental-features --json",
        "pass": "",
        "pip": "",
        "pipx": "",
        "printf": "",
        "pvck": "--dump --file --repair --settings",
        "pytest": "",
        "python3": "-m",
        "qemu-img": "-f",
        "qemu-system-x86_64": "-cdrom -cpu -drive -m -machine -nic -smp",
        "subfloor": "",
        "swapoff": "",
        "systemctl": "--failed --now",
        "umount": "-R",
        "vgchange": "-an",
    }.items()
}
"""The programs that documents use, with the options that they use of each. Those of subfloor are its own."""

OUTPUT = frozenset({"localhost", "this", "wrote"})
"""The first words of lines that show what a program prints, and that look like commands."""

_SHELL = ("sh", "console", "ini", "")
"""The languages of fenced blocks that may have commands."""


@dataclass(frozen=True)
class Shown:
    """A program with its arguments, as a document shows it."""

    document: Path
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        return Path(self.words[0]).name

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}: {' '.join(self.words)}"


def blocks(document: Path) -> Iterator[tuple[str, list[str]]]:
    """The blocks of code of a document: the language, "" if it has none, and the lines."""
    fence, block = None, list[str]()
    for line in [*document.read_text("utf-8").splitlines(), "."]:
        opened = re.match(r"\s*```(\w*)$", line)
        inside = fence is not None or line.startswith("    ") or (not line and block)
        if (opened or not inside) and block:
            yield fence or "", block
            block = []
        if opened:
            fence = opened[1] if fence is None else None
        elif inside:
            block.append(line if fence is not None else line[4:])


def lines_of(document: Path) -> Iterator[str]:
    """The lines of a document that may be commands: in one piece, without prompts, comments and here-documents."""
    for language, block in blocks(document):
        if language in _SHELL:
            text = re.sub(r" *\\\n *", " ", "\n".join(block))
            text = re.sub(r"(?ms)<<'(\w+)'$.*?^\1$", "", text)
            starts = (re.fullmatch(r"ExecStart=(.*)", line) for line in text.splitlines())
            yield from (found[1] for found in starts if found)
            if language != "ini":
                yield from (line.removeprefix("$ ") for line in text.splitlines() if not line.startswith((" ", "#")))


def commands_in(line: str) -> Iterator[tuple[str, ...]]:
    """The commands of a line of sh, without redirections and assignments."""
    tokens = shlex.shlex(re.split("  +#", line)[0], posix=True, punctuation_chars=True)
    tokens.whitespace_split, tokens.commenters = True, ""
    words, skip = list[str](), False
    for token in [*tokens, ";"]:
        if skip or token in ("{", "}"):
            skip = False
        elif re.fullmatch(r"[<>]+&?", token):
            skip, words = True, [*words[:-1], *(word for word in words[-1:] if not word.isdecimal())]
        elif re.fullmatch(r"[;|&()]+", token):
            if words := [word for at, word in enumerate(words) if at or not re.match(r"\w+=", word)]:
                yield tuple(words)
            words = []
        elif words or not re.match(r"[A-Za-z_]+=", token):
            words.append(token)


def shown() -> Iterator[Shown]:
    """Every command in a block of code."""
    for document in DOCUMENTS:
        for line in lines_of(document):
            first = re.match(r"(?:[A-Z_]+=\S+ )*(\S+)", line)
            program = first[1] if first else ""
            if (Path(program).name in PROGRAMS and not program.endswith("/")) or re.match(r"\w+=\$\(", line):
                yield from (Shown(document, words) for words in commands_in(line))


def looks_like_a_command(line: str) -> bool:
    """Whether a line begins as a command does: with a word in small letters."""
    return bool(re.match(r"[a-z][a-z0-9_-]*(?: |$)", line)) and line.split()[0] not in OUTPUT


def as_subfloor(command: Shown) -> tuple[str, ...] | None:
    """The arguments for subfloor, also if another program starts it; None if none does."""
    if command.program == "subfloor":
        return command.words[1:]
    if command.words[:2] == ("nix", "run") or (command.program == "nix" and "run" in command.words):
        return command.words[command.words.index("--") + 1 :]
    return None


_OWN = {
    "site.yml": """
- hosts: all
  seed: site
  tasks:
    - luks: {device: /dev/vdb1, name: crypt, passphrase: "{{ disk_passphrase | default(none) }}"}
      tags: disk
""",
    "hosts.ini": "[web]\nweb1\n",
    "vars.yml": "disk: /dev/vdb\n",
}
"""Files that a reader has, and no document shows: from Ansible, or written by a command."""


class Desk:
    """A directory with the files that a document tells its reader to write."""

    def __init__(self, directory: Path, document: Path) -> None:
        self._directory = directory
        self._blocks = ["\n".join(lines) for language, lines in blocks(document) if language == "yaml"]

    def placed(self, word: str) -> str:
        """The argument, with the path of a file as it is here."""
        found = re.fullmatch(r"(@?)([\w/.~-]+\.(?:yml|ini)|PLAYBOOK)", word)
        return f"{found[1]}{self._file(found[2], word)}" if found else word

    def _file(self, path: str, word: str) -> Path:
        name = "data-disk.yml" if path == "PLAYBOOK" else Path(path).name
        shipped = ROOT / "playbooks" / name
        if shipped.exists():
            return shipped
        file = self._directory / name
        file.write_text(_OWN.get(name) or self._text(word))
        return file

    def _text(self, word: str) -> str:
        """What the document shows for a file of variables, an inventory, or a playbook."""
        read = [(text, yaml.safe_load(text)) for text in self._blocks]
        if word.startswith("@"):
            return "".join(f"{text}\n" for text, value in read if isinstance(value, dict) and "all" not in value)
        kind = dict if Path(word).stem == "hosts" else list
        first, *_ = (text for text, value in read if isinstance(value, kind))
        return first
