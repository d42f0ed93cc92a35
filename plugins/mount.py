"""`mount`: a filesystem on a disk, mounted at its path."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.plugin import (
    DIRECTORY,
    AnySubject,
    Contribution,
    DevicesMounted,
    FileSystem,
    FromPlay,
    Machine,
    Mount,
    Mounted,
    MountState,
    Node,
    NotYetVisible,
    Param,
    Path,
    PathState,
    Refused,
    Step,
    Task,
    block_devices,
    check_clean,
    checked,
    directory,
    hookimpl,
    mount_options,
    mounting,
    mounts,
    remounting,
)


@dataclass(frozen=True, kw_only=True)
class MountFilesystem(Task):
    """Mount this filesystem at this path, with at least these options.

    The source is a path of a partition, or a tag. Tags are looked up on the disks of the play first; a tag that
    two devices carry is refused. A filesystem that is unfinished or has another type is not mounted.

    If the options of a mount differ, the task changes them by a remount. It refuses if a remount cannot change
    them: the kernel keeps some options for all mounts of a filesystem. Options that the kernel does not show
    (`nofail`, `x-…`, defaults of a filesystem) or spells in an unpredictable way are passed on, and not verified.
    The task refuses if something else is mounted there, or if the filesystem is mounted twice or under another
    mount. With `x-systemd.automount` the task is also in sync while systemd waits for the first access to mount it.
    """

    key: ClassVar[str] = "mount"
    examples: ClassVar[tuple[str, ...]] = (
        "mount: {path: /mnt/nix, source: /dev/vda3, type: ext4, options: [noatime], needed_for_boot: true}",
        'mount: {path: /mnt/boot, source: "LABEL=boot", type: vfat, options: [umask=0077]}',
    )

    path: Annotated[str, Param("Where to mount it", examples=("/mnt/nix",))]
    source: Annotated[
        str,
        Param(
            "What to mount: a path below /dev, or `LABEL=`, `UUID=`, `PARTLABEL=` or `PARTUUID=` with a value",
            examples=("/dev/vda3", "/dev/disk/by-id/virtio-1234-part3", "LABEL=nixos"),
        ),
    ]
    type: Annotated[str, Param("The filesystem's type, such as ext4, vfat, xfs, btrfs, f2fs", pattern="^[a-z0-9]+$")]
    options: Annotated[tuple[str, ...], Param("Mount options", examples=(["noatime"],))] = ()
    needed_for_boot: Annotated[bool, Param("The installed system mounts it in the initrd")] = False
    disks: Annotated[tuple[str, ...], FromPlay()] = ()
    label: Annotated[str, FromPlay()] = ""

    def __post_init__(self) -> None:
        checked("path", check_clean, self.path)
        checked("source", block_devices.check, self.source)
        checked("options", mount_options.check, self.options)

    def within(self, play: tuple[Task, ...]) -> Task:
        disks, label = block_devices.disks_in(play, self.source), block_devices.label_in(play, self.source)
        return replace(self, disks=disks, label=label)

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset(
            {Mount(self.path), Path(self.path), DevicesMounted(), *block_devices.subjects_of(self.source, self.disks)}
        )

    def next_step(self, machine: Machine) -> Step | None:
        state = mounts.place(machine, self.path)
        source = block_devices.found(machine, self.source, self.disks, self.type)
        if state.top is None and state.automount and self._is_on_demand:
            return None  # in sync: systemd mounts it on the first access
        if state.top is None:
            return self._mount(machine, state, source)
        wanted = self._mounted(machine, source)
        if not state.top.is_(wanted):
            raise mounts.elsewhere(self.path, state.top, str(replace(wanted, options=frozenset())))
        return self._remount(machine, state.top)

    def contributes(self) -> tuple[Contribution, ...]:
        device = block_devices.link(self.source)
        return (FileSystem(self.path, device, self.type, self.options, self.needed_for_boot, self.label),)

    @property
    def _wanted(self) -> mount_options.Wanted:
        return mount_options.wanted(self.type, self.options)

    @property
    def _is_on_demand(self) -> bool:
        return "x-systemd.automount" in self.options

    def _mounted(self, machine: Machine, source: block_devices.Source) -> Mounted:
        """The mount to expect. Shared options of another mount of the same filesystem apply to this mount, too."""
        root = mount_options.subvolume(self.options) if self.type == "btrfs" else "/"
        there = machine[DevicesMounted()].of(source.node)
        options = self._wanted.mounted(there[-1][1] if there else None)
        return Mounted(source.node, self.type, root, options, unsure=frozenset() if there else self._wanted.unsure)

    def _mount(self, machine: Machine, state: MountState, source: block_devices.Source) -> Step:
        if self.path == "/":
            raise Refused("nothing is mounted at /", advice="run this outside of a chroot")
        if not state.automount:
            mounts.check_free(self.path, state)
        self._check_writable(machine, source)
        hidden = None if source.fresh else NotYetVisible(self.path, source.name)
        mounted = self._mounted(machine, source)
        after = mounting(machine, self.path, mounted, root=hidden or self._root(), hidden=hidden)
        given = mount_options.for_kernel(self.options)
        return Step(
            says=f"Mount {source.name} ({self.type}) at {self.path}",
            commands=mounts.trigger(self.path)
            if state.automount
            else mounts.mount(self.type, given, source.name, self.path),
            after=block_devices.in_use(after, source, f"mounted at {self.path}"),
        )

    def _check_writable(self, machine: Machine, source: block_devices.Source) -> None:
        """Raise ``Refused`` if the device is read-only: mount(8) would only warn, and mount it read-only."""
        if "ro" not in self.options and block_devices.read_only(machine, source):
            raise Refused(
                f"{source.name} is read-only, but {self.path} must be writable",
                advice="see `blockdev --getro` and the disk's write protection, or give the option `ro`",
            )

    def _root(self) -> PathState:
        """The root directory of a new filesystem."""
        if self.type != "vfat":
            return directory()
        # vfat stores no modes and no owners: mount options set them (fs/fat/inode.c).
        mask = mount_options.value(self.options, "dmask", "umask")
        mode = 0o777 & ~(mount_options.octal(mask or "022") or 0)
        owned = mount_options.value(self.options, "uid", "gid")
        return directory(mode) if owned is None else Node(DIRECTORY, mode)

    def _remount(self, machine: Machine, top: Mounted) -> Step | None:
        lacking = self._wanted.lacking(top.options, top.unsure)
        if not lacking:
            return None
        if fixed := self._wanted.fixed(lacking):
            raise self._fixed(machine, top, fixed)
        shown = self._wanted.remounted(top.options)
        shared = self._wanted.shared_of(shown)
        return Step(
            says=f"Remount {self.path} with {self._changes(top.options)}",
            commands=mounts.remount(mount_options.remounting(self.type, self.options, top.options), self.path),
            after=remounting(machine, self.path, shown, shared, self._wanted.shared),
        )

    def _changes(self, options: frozenset[str]) -> str:
        """The declared options for a message; also ``rw`` if the mount is read-only and shall become writable."""
        writable = ("rw",) if "ro" in options and not {"ro", "rw"} & set(self.options) else ()
        return ",".join((*writable, *mount_options.for_kernel(self.options))) or "rw"

    def _fixed(self, machine: Machine, top: Mounted, fixed: frozenset[str]) -> Refused:
        """The error for options that a remount cannot change: all mounts share them, or the kernel drops them."""
        without, against = sorted(fixed - top.options), sorted(fixed & top.options)
        how = " and ".join(
            f"{word} {','.join(options)}" for word, options in (("without", without), ("with", against)) if options
        )
        others = [path for path, _ in machine[DevicesMounted()].of(top.source) if path != self.path]
        also = (
            f"; the same filesystem is mounted at {', '.join(others)}, and all its mounts share such options"
            if others
            else ""
        )
        places = " ".join(shlex.quote(path) for path in (self.path, *others))
        return Refused(
            f"{self.path} is mounted {how}, which a remount cannot change{also}",
            advice=f"`umount {places}`, then run subfloor again; or, if the kernel drops an option that the device or "
            "filesystem does not support, remove it from `options`",
        )


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (MountFilesystem,)
