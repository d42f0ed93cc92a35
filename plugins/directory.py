"""`directory`: a directory with an owner, a group and a mode."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from subfloor.plugin import (
    DIRECTORY,
    MODE_PATTERN,
    Absent,
    AnySubject,
    Machine,
    Node,
    Param,
    Path,
    Refused,
    Step,
    Task,
    check_clean,
    checked,
    hookimpl,
    mode_of,
    parameters,
    paths,
)


@dataclass(frozen=True, kw_only=True)
class Directory(Task):
    """Create a directory with this owner, group and mode.

    Missing parents are created too, with owner root and mode 0755. A different owner, group or mode is
    corrected. The content stays as it is. A path that leads through a symbolic link is refused.
    """

    key: ClassVar[str] = "directory"
    examples: ClassVar[tuple[str, ...]] = (
        "directory: {path: /mnt/nix/persist}",
        'directory: {path: /mnt/srv/data, owner: "1000", group: users, mode: "0750"}',
    )

    path: Annotated[str, Param("The directory", examples=("/mnt/nix/persist",))]
    owner: parameters.Owner = "root"
    group: parameters.Group = "root"
    mode: Annotated[str, Param("The mode, in octal", pattern=MODE_PATTERN)] = "0755"
    parents: Annotated[bool, Param("Create missing directories above it")] = True

    def __post_init__(self) -> None:
        checked("path", check_clean, self.path)
        checked("owner", paths.check_name, self.owner)
        checked("group", paths.check_name, self.group)
        checked("mode", mode_of, self.mode)

    def subjects(self) -> frozenset[AnySubject]:
        looked_at = {Path(self.path)} if self.parents else {Path(self.path), Path(self._parent)}
        return frozenset({*looked_at, *paths.accounts(self.owner, self.group)})

    def next_step(self, machine: Machine) -> Step | None:
        paths.check_accounts(machine, self.owner, self.group)
        there = paths.there(machine, self.path, DIRECTORY)
        wanted = paths.node(DIRECTORY, self.owner, self.group, self.mode)
        if isinstance(there, Node):
            return paths.mend(machine, self.path, there, wanted)
        if not self.parents and isinstance(paths.there(machine, self._parent, DIRECTORY), Absent):
            raise Refused(f"there is no {self._parent}", advice="create it first, or set `parents: true`")
        return Step(
            says=f"Make the directory {self.path}",
            commands=paths.mkdir(self.path, self.owner, self.group, wanted, parents=self.parents),
            after=paths.made(machine, self.path, wanted),
        )

    @property
    def _parent(self) -> str:
        return posixpath.dirname(self.path)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (Directory,)
