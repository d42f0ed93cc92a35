"""`btrfs-subvolume`: a subvolume of a btrfs with its properties, and a blank one to roll it back to."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    AnySubject,
    Command,
    Contribution,
    FromPlay,
    Machine,
    Param,
    Refused,
    Rollback,
    Step,
    Subvolume,
    SubvolumeState,
    Task,
    UnderlyingMount,
    block_devices,
    check_clean,
    checked,
    hookimpl,
    is_below,
    sizes,
    subvolumes,
)


@dataclass(frozen=True, kw_only=True)
class BtrfsSubvolume(Task):
    """Create a btrfs subvolume, and keep its properties.

    The filesystem must be mounted, usually its top level: `mount` it with the option `subvol=/` at a place of its
    own, such as `/top`, create the subvolumes there, then mount each where it belongs with `subvol=NAME`. Missing
    directories above the subvolume are created. A property that is not given stays as it is.

    The task never removes a subvolume, and moves nothing into one. If a directory, or anything else, is in its place,
    the task refuses. `nodatacow` affects only files that are created later, so the task sets it while the subvolume is
    empty, and refuses to change it after that. A limit enables the quotas of the whole filesystem, which makes it
    slower. With `default`, mount the top level with the option `subvol=/`: without this option a mount shows the
    default subvolume.

    `blank` is a second subvolume: empty, read-only, and with the same properties. With `rollback: true` the installed
    system replaces the subvolume by a snapshot of the blank one at every boot, before it mounts its root. The last
    former root stays as `PATH.former-1`, so that files in it can still be fetched; `keep` is the number of former
    roots that stay. Put data that must last on other subvolumes beside this one. A `nixos-config` of the same play
    declares the service for the rollback.
    """

    key: ClassVar[str] = "btrfs-subvolume"
    examples: ClassVar[tuple[str, ...]] = (
        "btrfs-subvolume: {path: /top/@nix, compression: zstd}",
        "btrfs-subvolume: {path: /top/@root, blank: /top/@root-blank, rollback: true}",
        "btrfs-subvolume: {path: /top/@swap, nodatacow: true}",
        "btrfs-subvolume: {path: /top/@home, limit: 100GiB}",
    )

    path: Annotated[str, Param("Where it is now, below the mount point of its filesystem", examples=("/top/@root",))]
    nodatacow: Annotated[
        bool | None, Param("Files are overwritten in place, without checksums or compression; for databases and swap")
    ] = None
    compression: Annotated[
        Literal["zlib", "lzo", "zstd", "none"] | None,
        Param("How new files are compressed, whatever the mount options say; `none`: not at all"),
    ] = None
    default: Annotated[bool, Param("Make it the default subvolume, which is mounted without the option `subvol`")] = (
        False
    )
    limit: Annotated[
        str | None, Param("The maximum size, enforced by its quota group", pattern=sizes.PATTERN, examples=("100GiB",))
    ] = None
    blank: Annotated[str | None, Param("Where the blank subvolume is", examples=("/top/@root-blank",))] = None

    rollback: Annotated[bool, Param("The installed system rolls it back to the blank one at every boot")] = False
    keep: Annotated[int, Param("How many former subvolumes a rollback keeps", minimum=0, maximum=99)] = 1
    rolled_back: Annotated[Rollback | None, FromPlay()] = None

    def __post_init__(self) -> None:
        checked("path", check_clean, self.path)
        if self.path == "/":
            raise ValueError("path: a filesystem is mounted at /; name a path below its mount point")
        if self.limit is not None:
            checked("limit", sizes.parse, self.limit)
        if self.nodatacow and self.compression not in (None, "none"):
            raise ValueError("compression: files with `nodatacow` are never compressed; leave one of the two out")
        if self.blank is not None:
            checked("blank", check_clean, self.blank)
            if self.blank == self.path or is_below(self.blank, self.path) or is_below(self.path, self.blank):
                raise ValueError(f"blank: {self.blank} and {self.path} must not lie in each other")

        if self.rollback and (self.blank is None or self.default or self.limit):
            raise ValueError("rollback: it needs `blank`; `default` and `limit` would be lost with the subvolume")

    def within(self, play: tuple[Task, ...]) -> Task:
        if not self.rollback:
            return self
        here, blank = (subvolumes.in_play(play, path) for path in (self.path, self.blank or ""))
        if not here or not blank or here.source != blank.source:
            raise ValueError(f"rollback: put a `mount` task for the btrfs of {self.path} and {self.blank} first")
        if inner := subvolumes.declared_in(play, here):
            raise ValueError(f"rollback: {', '.join(inner)} would be lost with {self.path}; put it beside, not inside")
        device = block_devices.link(here.source)
        return replace(self, rolled_back=Rollback(device, here.path, blank.path, self.keep))

    def contributes(self) -> tuple[Contribution, ...]:
        return (self.rolled_back,) if self.rolled_back else ()

    def subjects(self) -> frozenset[AnySubject]:
        return subvolumes.subjects(self.path) | (subvolumes.subjects(self.blank) if self.blank else frozenset())

    def next_step(self, machine: Machine) -> Step | None:
        state = subvolumes.found(machine, self.path)
        if state is None:
            return subvolumes.create(machine, self.path, self._wanted, f"Create the subvolume {self.path}")
        if state.read_only:
            raise Refused(
                f"the subvolume {self.path} is read-only: a snapshot, or received from elsewhere",
                advice=f"name another path, or make it writable: `btrfs property set {self._quoted} ro false`; "
                "then run subfloor again",
            )
        steps = (self._property(machine, state), self._make_blank(machine), self._rest(machine, state))
        return next((step for step in steps if step), None)

    @property
    def _wanted(self) -> subvolumes.Wanted:
        return subvolumes.Wanted(self.nodatacow, self.compression)

    @property
    def _quoted(self) -> str:
        return shlex.quote(self.path)

    def _property(self, machine: Machine, state: SubvolumeState) -> Step | None:
        """A step that sets NoCOW or the compression; None if both are in sync. Raises ``Refused``."""
        if self.nodatacow is not None and self.nodatacow != state.nodatacow:
            self._check_empty(state, "+C" if self.nodatacow else "-C")
            says = f"{'Set' if self.nodatacow else 'Clear'} NoCOW for {self.path}"
            commands = subvolumes.nocow(self.path, self.nodatacow)
            return self._changed(machine, says, commands, replace(state, nodatacow=self.nodatacow))
        if self.compression is not None and self.compression != state.compression:
            says = f"Set the compression of {self.path} to {self.compression}"
            commands = subvolumes.compressed(self.path, self.compression)
            return self._changed(machine, says, commands, replace(state, compression=self.compression))
        return None

    def _check_empty(self, state: SubvolumeState, flag: str) -> None:
        if not state.empty:
            raise Refused(
                f"{self.path} is not empty, and existing files keep their copy-on-write setting",
                advice=f"move them out, and run subfloor again; or for new files alone: `chattr {flag} {self._quoted}`",
            )

    def _make_blank(self, machine: Machine) -> Step | None:
        """A step that creates or completes the blank subvolume, and makes it read-only last; None if it is in sync.

        Raises ``Refused``.
        """
        if self.blank is None:
            return None
        state, wanted = subvolumes.found(machine, self.blank), replace(self._wanted, read_only=True)
        sources = [machine[UnderlyingMount(path)].source for path in (self.path, self.blank)]
        if sources[0] != sources[1]:
            raise Refused(
                f"{self.path} lies on {sources[0]}, and its blank {self.blank} on {sources[1]}",
                advice="name a `blank` on the same filesystem",
            )
        if state is None:
            says = f"Create the blank subvolume {self.blank}, read-only"
            return subvolumes.create(machine, self.blank, wanted, says)
        if state.empty and not state.read_only:
            # An interrupted run left it, or a user created it: it is empty.
            says, after = f"Finish the blank subvolume {self.blank}, read-only", wanted.applied(state)
            return Step(says, wanted.commands(self.blank), machine.with_(Subvolume(self.blank), after))
        if not state.empty or not wanted.is_met(state):
            what = "has other properties than declared" if state.empty else "is not empty"
            raise Refused(
                f"the subvolume {self.blank} {what}",
                advice=f"name another `blank`; or, if it is not needed, `btrfs subvolume delete "
                f"{shlex.quote(self.blank)}`, and run subfloor again",
            )
        return None

    def _rest(self, machine: Machine, state: SubvolumeState) -> Step | None:
        """A step that makes the subvolume the default one, or sets its limit; None if both are in sync."""
        if self.default and not state.default:
            return subvolumes.set_default(machine, self.path)
        if self.limit is None or state.limit == sizes.show(sizes.parse(self.limit)):
            return None
        return subvolumes.limit(machine, self.path, state, self.limit)

    def _changed(self, machine: Machine, says: str, commands: tuple[Command, ...], after: SubvolumeState) -> Step:
        return Step(says, commands, machine.with_(Subvolume(self.path), after))


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (BtrfsSubvolume,)
