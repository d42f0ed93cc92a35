"""disko configurations as playbooks: the same disks, filesystems, mounts and options; the rest is listed. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subfloor.playbook.disko.devices import KINDS, of_devices
from subfloor.playbook.disko.items import Context, Item, Missing, Passphrase, Remark, Stage, Wanted
from subfloor.playbook.disko.settling import settled
from subfloor.playbook.disko.tree import Node
from subfloor.playbook.positions import PlaybookError
from subfloor.playbook.registry import Registry
from subfloor.playbook.writing import comment, playbook_text, task_line

_HEAD = """\
# The disks, filesystems and mounts of {name}, written by `subfloor import disko`.
# Review it, and change what you want to change.
#
#   subfloor check FILE    reports what apply would do
#   subfloor apply FILE    lays the disks out, and mounts everything below {root}
#   subfloor adopt FILE    takes over disks that disko laid out; their content stays
"""

_STAGES: Mapping[Stage, str] = {
    Stage.SUBVOLUMES: "Subvolumes are made below the top level of their btrfs.",
    Stage.MOUNTS: "Mounts.",
    Stage.BINDS: "Binds.",
    Stage.SWAP: "Swap.",
}

_NOT_DEVICES = ("rootMountPoint", "devices")


@dataclass(frozen=True)
class Imported:
    """The text of a playbook, and the parts of the configuration that are missing in this playbook."""

    text: str
    missing: tuple[Missing, ...]


def imported(configuration: Node, name: str, root: str | None, registry: Registry) -> Imported:
    """The playbook for a configuration. Raises ``PlaybookError`` for a configuration that disko refuses as well.

    ``name``: the name of its file. ``root``: where the system is mounted; None: at the configuration's
    ``rootMountPoint``, or at /mnt.
    """
    devices = _devices(configuration)
    disko = configuration.get("disko")
    root = root or (disko.text("rootMountPoint") if disko else "") or "/mnt"
    disks = devices.get("disk")
    context = Context(root, len(disks.options if disks else ()) > 1, _early(configuration))
    items = settled([*_beside(configuration, devices), *of_devices(devices, context)], registry)
    missing = tuple(item for item in items if isinstance(item, Missing))
    title = f"The disks of {name}"
    head = "".join((_HEAD.format(name=name, root=root), *_passphrases(items), *_list(missing)))
    return Imported(playbook_text(head, title, _seed(devices), list(_lines(items))), missing)


def _devices(configuration: Node) -> Node:
    """The devices in a file: its ``disko.devices``, its ``devices``, or the whole file.

    Raises ``PlaybookError`` if there are none.
    """
    disko = configuration.get("disko")
    for found in (disko and disko.get("devices"), configuration.get("devices"), configuration):
        if found and isinstance(found.value, Mapping) and any(kind in found.value for kind in KINDS):
            return found
    there = ", ".join(sorted(configuration.options)) or "nothing"
    also = "; if it imports the file that has them, name that file" if "imports" in configuration.options else ""
    raise PlaybookError(
        f"it declares no disko.devices, only {there}",
        advice=f"name the file with disko.devices.disk{also}",
        where=configuration.where,
    )


def _early(configuration: Node) -> frozenset[str]:
    """The mount points that the configuration declares as needed for boot."""
    systems = configuration.get("fileSystems")
    return frozenset(path for path, each in (systems.options if systems else {}).items() if _is_early(each))


def _is_early(system: Node) -> bool:
    return system.value is True or (isinstance(system.value, Mapping) and system.flag("neededForBoot"))


def _beside(configuration: Node, devices: Node) -> Iterator[Missing]:
    """The options beside the devices in a file. None of them is imported."""
    if configuration is devices:
        return
    disko = configuration.get("disko")
    for name, each in disko.options.items() if disko else ():
        if name not in _NOT_DEVICES:
            yield Missing.at(each, "it does not describe a disk", "leave it out; subfloor has its own options")
    for name, each in configuration.options.items():
        if name == "imports":
            yield Missing.at(
                each, "files that this file imports are not read", "import each of them that has disko.devices, too"
            )
        elif name not in ("disko", "devices", "fileSystems", "options"):
            yield Missing.at(each, "it does not describe a disk", "keep it in the configuration of NixOS")


def _seed(devices: Node) -> str:
    digest = hashlib.sha256(json.dumps(_plain(devices), sort_keys=True).encode()).hexdigest()
    return f"imported-{digest[:12]}"


def _plain(node: Node) -> Any:
    if isinstance(node.value, Mapping):
        return {name: _plain(each) for name, each in node.value.items()}
    return list(map(_plain, node.value)) if isinstance(node.value, tuple) else str(node.value)


def _passphrases(items: list[Item]) -> Iterator[str]:
    found = [item for item in items if isinstance(item, Passphrase)]
    if found:
        yield "#\n"
        yield "# Give the passphrase to a run that makes or opens the container. Without it, a run does neither:\n#\n"
    for each in found:
        given = f"--secret {each.variable}=file:{each.file}" if each.file else f"--ask-passphrase {each.variable}"
        yield "".join(f"{line}\n" for line in comment(f"  {given}"))


def _list(missing: tuple[Missing, ...]) -> Iterator[str]:
    if missing:
        yield "#\n# Not imported, since no task can describe it:\n#\n"
    for each in missing:
        yield "".join(f"{line}\n" for line in comment(f"  {each}"))


def _lines(items: list[Item]) -> Iterator[str]:
    """The tasks and comments; an empty line before each part."""
    stage, before = Stage.LAYOUT, None
    for item in items:
        if isinstance(item, Remark):
            yield from ("",) if isinstance(before, Wanted) else ()
            yield from comment(item.text)
        elif isinstance(item, Wanted):
            if item.stage != stage:
                yield from ("", *comment(_STAGES[item.stage])) if before else comment(_STAGES[item.stage])
            stage = item.stage
            yield task_line(item.key, **item.parameters)
        before = item if isinstance(item, Remark | Wanted) else before
