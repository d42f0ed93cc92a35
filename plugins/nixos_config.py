"""`nixos-config`: the configuration that NixOS is installed from, made from the play's own layout."""

from __future__ import annotations

import difflib
import hashlib
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.errors import Refused
from subfloor.installed import Contribution, FileSystem, SwapDevice
from subfloor.machine import AnySubject, Machine
from subfloor.nixos import nix
from subfloor.parameters import FromPlay, Param, checked
from subfloor.steps import nodes
from subfloor.steps.files import write_file
from subfloor.subjects.path import FILE, ROOT, Absent, Node, Path, Text, TextFile, check_clean, is_below, seen
from subfloor.task import Step, Task, hookimpl

_MARK = "# subfloor sha256="
_NOTE = " of what follows. This file is generated: put what is your own into local.nix."

# The paths that NixOS mounts in stage 1 without being told (nixos/lib/utils.nix, pathsNeededForBoot).
_ALWAYS = frozenset(
    {"/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr"},
)


@dataclass(frozen=True, kw_only=True)
class NixosConfig(Task):
    """The files of a NixOS configuration are as they are generated from this play.

    `filesystems.nix` has what the play's other tasks mount, bind and swap, as far as it lies under `root`:
    a layout and a configuration that disagree cannot be. `configuration.nix` imports it, and
    `hardware-configuration.nix` and `local.nix` where they are there; the first is to be made with
    `nixos-generate-config --no-filesystems`, the second is yours.

    Each file says by a checksum whether it is as it was generated. One that was generated from another
    version of the play is written anew. One that somebody edited is shown as a diff, and refused, unless
    `overwrite` is given.
    """

    key: ClassVar[str] = "nixos-config"
    examples: ClassVar[tuple[str, ...]] = (
        'nixos-config: {root: /mnt, hostname: nixos, state_version: "24.05"}',
        'nixos-config: {root: /, hostname: kiosk, state_version: "24.05", overwrite: true}',
    )

    state_version: Annotated[
        str, Param("The release of NixOS that it is first installed from", pattern=r"^[0-9]{2}\.[0-9]{2}$")
    ]
    root: Annotated[str, Param("Where the installed system's root is mounted now", examples=("/mnt", "/"))] = "/mnt"
    path: Annotated[str, Param("The configuration's directory, as the installed system has it")] = "/etc/nixos"
    hostname: Annotated[str, Param("The host's name", pattern="^$|^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$")] = (
        "nixos"
    )
    efi_variables: Annotated[bool, Param("The boot loader may write itself into the firmware's list")] = True
    overwrite: Annotated[bool, Param("Write over a file that somebody edited")] = False
    layout: Annotated[tuple[Contribution, ...], FromPlay()] = ()

    def __post_init__(self) -> None:
        checked("root", check_clean, self.root)
        checked("path", check_clean, self.path)

    def within(self, play: tuple[Task, ...]) -> Task:
        others = (task.within(play) for task in play if task.key != self.key)
        layout = tuple(found for task in others for each in task.contributes() for found in _under(self.root, each))
        paths = [each.path for each in layout if isinstance(each, FileSystem)]
        if twice := sorted({path for path in paths if paths.count(path) > 1}):
            raise ValueError(f"root: more than one task of the play mounts at {', '.join(twice)} under {self.root}")
        return replace(self, layout=layout)

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset(kind(path) for path in self._files for kind in (Path, TextFile))

    def next_step(self, machine: Machine) -> Step | None:
        # All of them at once: where one is refused, none is written.
        steps = [self._write(machine, path, content) for path, content in self._files.items()]
        return next((step for step in steps if step), None)

    @property
    def _files(self) -> Mapping[str, bytes]:
        """The files, in the order in which they are written: what is imported first."""
        folder = posixpath.join(self.root, self.path[1:])
        return {
            posixpath.join(folder, "filesystems.nix"): _marked(filesystems(self.layout)),
            posixpath.join(folder, "configuration.nix"): _marked(self._configuration()),
        }

    def _configuration(self) -> str:
        imports = (
            "[ ./filesystems.nix ] ++ builtins.filter builtins.pathExists [ ./hardware-configuration.nix ./local.nix ]"
        )
        settings: dict[str, nix.Value] = {
            "imports": nix.Expression(imports),
            "boot": {
                "loader": {
                    "systemd-boot": {"enable": True},
                    "efi": {"canTouchEfiVariables": self.efi_variables},
                }
            },
            "networking": {"hostName": self.hostname},
            "system": {"stateVersion": self.state_version},
        }
        return f"{{ ... }}:\n{nix.render(settings)}\n"

    def _write(self, machine: Machine, path: str, content: bytes) -> Step | None:
        nodes.there(machine, path, FILE)
        there: Text | Absent = seen(machine, TextFile(path))
        if there == Text(content):
            return None
        if isinstance(there, Text) and not _is_intact(there.content) and not self.overwrite:
            raise Refused(
                f"{path} was edited, or is not from here; it differs from what would be written:\n"
                + _diff(there.content, content, path),
                advice="take what is your own into local.nix beside it and remove the file, or give `overwrite: true`",
            )
        return Step(
            says=f"Write {path}",
            commands=write_file(path, content),
            after=nodes.made(machine, path, Node(FILE, 0o644, ROOT, ROOT)).with_(TextFile(path), Text(content)),
        )


def filesystems(layout: Iterable[Contribution]) -> str:
    """The module that mounts and swaps what the play mounts and swaps; paths as the installed system has them."""
    every = tuple(layout)
    mounts = tuple(each for each in every if isinstance(each, FileSystem))
    swaps = tuple(each for each in every if isinstance(each, SwapDevice))
    settings: dict[str, nix.Value] = {
        "fileSystems": {each.path: _filesystem(each, mounts) for each in mounts},
        "swapDevices": [_swap(each) for each in swaps],
    }
    return f"{{ ... }}:\n{nix.render(settings)}\n"


def _filesystem(each: FileSystem, every: tuple[FileSystem, ...]) -> dict[str, nix.Value]:
    found: dict[str, nix.Value] = {"device": each.device, "fsType": each.type}
    if each.options:
        found["options"] = list(each.options)
    if each.bind and (under := _under_source(each, every)):
        found["depends"] = [under]
    if _needed(each, every):
        found["neededForBoot"] = True
    return found


def _under_source(bind: FileSystem, every: tuple[FileSystem, ...]) -> str | None:
    """The mount that a bind's source lies on: it has to be there first."""
    paths = [each.path for each in every if each is not bind and each.path not in ("/", bind.path)]
    return max((path for path in paths if bind.device == path or is_below(bind.device, path)), key=len, default=None)


def _needed(each: FileSystem, every: tuple[FileSystem, ...]) -> bool:
    """Whether stage 1 must mount it: as declared, and where something that stage 1 mounts lies on it."""
    return each.needed_for_boot or any(
        (other.needed_for_boot or other.path in _ALWAYS)
        and (is_below(other.path, each.path) or (other.bind and is_below(other.device, each.path)))
        for other in every
        if each.path not in _ALWAYS
    )


def _swap(each: SwapDevice) -> dict[str, nix.Value]:
    found: dict[str, nix.Value] = {"device": each.device}
    if each.priority is not None:
        found["priority"] = each.priority
    if each.discard:
        found["discardPolicy"] = each.discard
    return found


def _under(root: str, each: Contribution) -> Iterator[Contribution]:
    """What a task contributes, with paths as the installed system has them; nothing where it is not under ``root``."""
    if isinstance(each, SwapDevice):
        yield each
        return
    path = _stripped(root, each.path)
    device = _stripped(root, each.device) if each.bind else each.device
    if path and device:
        yield replace(each, path=path, device=device)


def _stripped(root: str, path: str) -> str | None:
    if root == "/" or path == root:
        return path if root == "/" else "/"
    return path.removeprefix(root) if is_below(path, root) else None


def _marked(text: str) -> bytes:
    """The text under a line that tells what it was, so that it can be seen whether somebody edited it."""
    return f"{_MARK}{hashlib.sha256(text.encode()).hexdigest()}{_NOTE}\n{text}".encode()


def _is_intact(content: bytes) -> bool:
    first, _, rest = content.partition(b"\n")
    return first.startswith(f"{_MARK}{hashlib.sha256(rest).hexdigest()}".encode())


def _diff(there: bytes, wanted: bytes, path: str) -> str:
    old, new = (text.decode("utf-8", "replace").splitlines() for text in (there, wanted))
    return "\n".join(difflib.unified_diff(old, new, f"{path} as it is", f"{path} as generated", lineterm=""))


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (NixosConfig,)
