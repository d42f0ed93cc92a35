"""`mount`: a filesystem on a disk, mounted where it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.errors import Refused
from subfloor.installed import Contribution, FileSystem
from subfloor.machine import AnySubject, Machine
from subfloor.parameters import FromPlay, Param, checked
from subfloor.steps import mount_options, mounts, sources
from subfloor.subjects.mount import Mount, Mounted, MountState, mounting
from subfloor.subjects.path import DIRECTORY, Node, Path, PathState, Unseen, check_clean, directory
from subfloor.task import Step, Task, hookimpl


@dataclass(frozen=True, kw_only=True)
class MountFilesystem(Task):
    """This filesystem mounted at this path, with at least these options.

    The source is a partition's path, or a tag, which is looked for on the play's own disks first; a tag
    that two devices carry is refused. What is not finished, or holds another type, is not mounted.

    Options that differ are changed by a remount where the kernel can. Options that the kernel does not
    show (`nofail`, `x-…`, a filesystem's defaults) are passed on, and not looked for. Where something
    else is mounted, or the right thing twice, or under something else, it is refused.
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
    needed_for_boot: Annotated[bool, Param("The installed system mounts it before it looks for itself")] = False
    disks: Annotated[tuple[str, ...], FromPlay()] = ()
    label: Annotated[str, FromPlay()] = ""

    def __post_init__(self) -> None:
        checked("path", check_clean, self.path)
        checked("source", sources.check, self.source)
        checked("options", mount_options.check, self.options)

    def within(self, play: tuple[Task, ...]) -> Task:
        disks, label = sources.disks_in(play, self.source), sources.label_in(play, self.source)
        return replace(self, disks=disks, label=label)

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Mount(self.path), Path(self.path), *sources.subjects_of(self.source, self.disks)})

    def next_step(self, machine: Machine) -> Step | None:
        state = mounts.place(machine, self.path)
        source = sources.found(machine, self.source, self.disks, self.type)
        if state.top is None:
            return self._mount(machine, state, source)
        wanted = self._mounted(source)
        if not state.top.is_(wanted):
            raise mounts.elsewhere(self.path, state.top, str(replace(wanted, options=frozenset())))
        return self._remount(machine, state, state.top)

    def contributes(self) -> tuple[Contribution, ...]:
        device = sources.link(self.source)
        return (FileSystem(self.path, device, self.type, self.options, self.needed_for_boot, self.label),)

    @property
    def _wanted(self) -> mount_options.Wanted:
        return mount_options.wanted(self.type, self.options)

    def _mounted(self, source: sources.Source) -> Mounted:
        root = mount_options.subvolume(self.options) if self.type == "btrfs" else "/"
        return Mounted(source.node, self.type, root, self._wanted.shown)

    def _mount(self, machine: Machine, state: MountState, source: sources.Source) -> Step:
        if self.path == "/":
            raise Refused("nothing is mounted at /", advice="run this outside of a chroot")
        mounts.check_free(self.path, state)
        self._check_writable(machine, source)
        hidden = None if source.fresh else Unseen(self.path, source.node)
        after = mounting(machine, self.path, self._mounted(source), root=hidden or self._root(), hidden=hidden)
        return Step(
            says=f"Mount {source.node} ({self.type}) at {self.path}",
            commands=mounts.mount(self.type, mount_options.for_kernel(self.options), source.node, self.path),
            after=sources.in_use(after, source, f"mounted at {self.path}"),
        )

    def _check_writable(self, machine: Machine, source: sources.Source) -> None:
        """Of a device that is read-only, mount(8) makes a read-only mount, and only warns."""
        if "ro" not in self.options and sources.read_only(machine, source):
            raise Refused(
                f"{source.node} is read-only, and {self.path} is to be writable",
                advice="see `blockdev --getro` and the disk's write protection, or give the option `ro`",
            )

    def _root(self) -> PathState:
        """The root directory of a filesystem that has just been made."""
        if self.type != "vfat":
            return directory()
        # A vfat has no modes and no owners of its own: the mount says (fs/fat/inode.c).
        mask = mount_options.value(self.options, "dmask", "umask")
        mode = 0o777 & ~(0o022 if mask is None else int(mask, 8))
        owned = mount_options.value(self.options, "uid", "gid")
        return directory(mode) if owned is None else Node(DIRECTORY, mode)

    def _remount(self, machine: Machine, state: MountState, top: Mounted) -> Step | None:
        lacking = self._wanted.lacking(top.options)
        if not lacking:
            return None
        if fixed := lacking & self._wanted.fixed:
            without, against = sorted(fixed - top.options), sorted(fixed & top.options)
            how = " and ".join(
                f"{word} {','.join(options)}" for word, options in (("without", without), ("with", against)) if options
            )
            raise Refused(
                f"{self.path} is mounted {how}, which no remount can change",
                advice=f"`umount {self.path}`, then run this again",
            )
        given = mount_options.remounting(self.type, self.options, top.options)
        return Step(
            says=f"Remount {self.path} with {','.join(mount_options.for_kernel(self.options)) or 'rw'}",
            commands=mounts.remount(given, self.path),
            after=machine.with_(Mount(self.path), replace(state, top=replace(top, options=self._wanted.shown))),
        )


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (MountFilesystem,)
