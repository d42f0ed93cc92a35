"""Inventories that a program prints: executable files, and the inventory plugins of Ansible by `ansible-inventory`.

Both print what Ansible documents for inventory scripts: groups with their hosts, variables and children in JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from subfloor.playbook.positions import PlaybookError, Position, Source
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table

_SECONDS = 120.0
"""Seconds that a program may take."""

_META = "_meta"


def is_program(path: Path) -> bool:
    """Whether a file is executable, and a program by its first bytes: on some filesystems all files are executable."""
    try:
        with path.open("rb") as file:
            return os.access(path, os.X_OK) and file.read(4).startswith((b"#!", b"\x7fELF"))
    except OSError:
        return False


def printed_by(path: Path) -> Table:
    """The inventory that an executable file prints. Raises ``PlaybookError``."""
    program = str(path.absolute())
    return _tree(path, _said(path, [program, "--list"]), lambda host: _said(path, [program, "--host", host]))


def is_for_plugin(node: Node) -> bool:
    """Whether a YAML file configures an inventory plugin of Ansible."""
    return isinstance(node, Table) and isinstance(node.items.get("plugin"), Scalar)


def made_by_plugin(path: Path, node: Node) -> Table:
    """The inventory that an inventory plugin of Ansible makes of its file. Raises ``PlaybookError``."""
    program = shutil.which("ansible-inventory")
    if program is None:
        assert isinstance(node, Table)
        raise PlaybookError(
            "this file is for an inventory plugin of Ansible, and ansible-inventory is not installed",
            advice="install ansible-core where subfloor runs, or write the hosts to a file of their own",
            where=node.keys["plugin"],
        )
    return _tree(path, _said(path, [program, "-i", str(path), "--list"]), lambda host: {})


def _said(path: Path, argv: Sequence[str]) -> Any:
    where, shown = Position(Source(str(path), "")), " ".join(argv)
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    except OSError as error:
        raise PlaybookError(f"cannot be run: {error.strerror}", advice=f"run `{shown}`", where=where) from None
    except subprocess.TimeoutExpired:
        what = f"did not end within {_SECONDS:.0f} s"
        raise PlaybookError(what, advice=f"find out what `{shown}` waits for", where=where) from None
    if done.returncode:
        said = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it printed no reason"])[-1]
        what = f"`{shown}` ended with status {done.returncode}: {said}"
        raise PlaybookError(what, advice="fix what it reports", where=where)
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        what = f"what `{shown}` prints is not JSON: {error}"
        raise PlaybookError(what, advice="an inventory program prints groups as JSON", where=where) from None


def _tree(path: Path, said: Any, ask: Callable[[str], Any]) -> Table:
    """The groups in the form of a YAML inventory. ``ask`` returns the variables of a host that are not in ``_meta``."""
    where = Position(Source(str(path), ""))
    if not isinstance(said, Mapping):
        raise PlaybookError("an inventory is a mapping of groups", advice="print groups as JSON", where=where)
    groups = {str(name): _group(each) for name, each in said.items() if name != _META}
    hosts = list(dict.fromkeys(host for group in groups.values() for host in group["hosts"]))
    meta = said.get(_META)
    known = meta.get("hostvars", {}) if isinstance(meta, Mapping) else {host: ask(host) for host in hosts}
    everywhere = groups.setdefault("all", _group({}))
    everywhere["hosts"] = {**dict.fromkeys((*hosts, *known)), **known}
    return _table(groups, where)


def _group(said: Any) -> dict[str, Any]:
    """A group in the form of a YAML inventory. A list is a list of hosts."""
    if isinstance(said, Sequence) and not isinstance(said, str):
        said = {"hosts": said}
    if not isinstance(said, Mapping):
        return {"hosts": {}}
    named = {part: dict.fromkeys(map(str, said.get(part) or ())) for part in ("hosts", "children")}
    return {**named, "vars": said.get("vars") or {}}


def _table(value: Mapping[str, Any], where: Position) -> Table:
    items = {str(name): _node(each, where) for name, each in value.items()}
    return Table(items, dict.fromkeys(items, where), where)


def _node(value: Any, where: Position) -> Node:
    if isinstance(value, Mapping):
        return _table(value, where)
    if isinstance(value, list):
        return Listing(tuple(_node(each, where) for each in value), where)
    return Scalar(value, where, "" if value is None else str(value))
