"""`tmpfs-mount`: a filesystem in memory, empty after every boot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.plugin import (
    MODE_PATTERN,
    AnySubject,
    Command,
    Contribution,
    FileSystem,
    Machine,
    Memory,
    MemoryState,
    Mount,
    Mounted,
    MountState,
    Node,
    Param,
    Path,
    Refused,
    Step,
    Task,
    Usage,
    Used,
    check_clean,
    check_free,
    checked,
    directory,
    elsewhere,
    hookimpl,
    mode_of,
    mount,
    mount_options,
    mounting,
    place,
    remount,
    sizes,
)

_PERCENT = re.compile(r"([1-9]\d?|100)%")


@dataclass(frozen=True, kw_only=True)
class TmpfsMount(Task):
    """Mount a tmpfs of this size at this path, and set the mode of its root directory.

    A different size or flag is changed in place by a remount, a different mode by chmod; the content stays. A
    missing directory is created. The task refuses if something else is mounted there, or if other mounts would be
    hidden. At `/` the task mounts nothing: a tmpfs must be mounted there already.

    The default mode is 0755, not the 1777 of the kernel, since sshd and others refuse a root directory that all
    users can write to.
    """

    key: ClassVar[str] = "tmpfs-mount"
    examples: ClassVar[tuple[str, ...]] = (
        "tmpfs-mount: {path: /mnt, size: 2GiB}",
        'tmpfs-mount: {path: /mnt/tmp, size: 25%, mode: "1777", options: [nosuid, nodev]}',
    )

    path: Annotated[str, Param("Where to mount it", examples=("/mnt",))]
    size: Annotated[str, Param("The maximum size: `2GiB`, or `25%` of the memory", examples=("2GiB", "25%"))]
    mode: Annotated[str, Param("The mode of its root directory, in octal", pattern=MODE_PATTERN)] = "0755"
    options: Annotated[tuple[str, ...], Param("Further mount options", examples=(["nosuid", "nodev"],))] = ()

    def __post_init__(self) -> None:
        checked("path", check_clean, self.path)
        checked("size", _check_size, self.size)
        checked("mode", mode_of, self.mode)
        checked("options", _check_options, self.options)

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Mount(self.path), Path(self.path), Memory(), Usage(self.path)})

    def next_step(self, machine: Machine) -> Step | None:
        state = place(machine, self.path)
        if state.top is None:
            return self._mount(machine, state)
        if state.top.type != "tmpfs":
            raise elsewhere(self.path, state.top, "a tmpfs")
        return self._resize(machine, state, state.top) or self._chmod(machine)

    def contributes(self) -> tuple[Contribution, ...]:
        return (FileSystem(self.path, "tmpfs", "tmpfs", self._options),)

    @property
    def _options(self) -> tuple[str, ...]:
        return (f"size={_for_kernel(self.size)}", f"mode={mode_of(self.mode):o}", *self.options)

    @property
    def _says(self) -> str:
        return f"{self.size} of the memory" if _PERCENT.fullmatch(self.size) else self.size

    def _mount(self, machine: Machine, state: MountState) -> Step:
        if self.path == "/":
            raise Refused("nothing is mounted at /", advice="run this outside of a chroot")
        check_free(self.path, state)
        mounted = Mounted("tmpfs", "tmpfs", "/", self._shown(machine[Memory()]))
        given = mount_options.for_kernel(self._options)
        owned = mount_options.value(given, "uid", "gid")
        root = directory(mode_of(self.mode)) if owned is None else Node("directory", mode_of(self.mode))
        return Step(
            says=f"Mount a tmpfs of {self._says} at {self.path}",
            commands=mount("tmpfs", given, "tmpfs", self.path),
            after=mounting(machine, self.path, mounted, root=root, hidden=None),
        )

    def _resize(self, machine: Machine, state: MountState, top: Mounted) -> Step | None:
        """A step that remounts with another size or missing flags; None if both are in sync. Raises ``Refused``.

        A remount does not change the mode.
        """
        memory = machine[Memory()]
        lacking = mount_options.wanted("tmpfs", self.options).lacking(top.options)
        if _pages(top.options, memory) == self._pages(memory) and not lacking:
            return None
        self._check_room(machine[Usage(self.path)], memory)
        kept = frozenset(option for option in top.options if not option.startswith("size="))
        shown = mount_options.wanted("tmpfs", self.options).remounted(kept) | self._shown(memory)
        after = replace(top, options=shown)
        flags = "" if not lacking else f", with {','.join(mount_options.for_kernel(self.options)) or 'rw'}"
        given = mount_options.remounting("tmpfs", (f"size={_for_kernel(self.size)}", *self.options), top.options)
        return Step(
            says=f"Remount the tmpfs at {self.path} with {self._says}{flags}",
            commands=remount(given, self.path),
            after=machine.with_(Mount(self.path), replace(state, top=after)),
        )

    def _check_room(self, used: object, memory: MemoryState) -> None:
        """Raise ``Refused`` if the content is larger than the declared size: the kernel would not remount."""
        if isinstance(used, Used) and used.size > self._pages(memory) * memory.page:
            raise Refused(
                f"the tmpfs at {self.path} holds {sizes.show(used.size)}, which is more than {self._says}",
                advice="declare a larger `size`, or remove what is not needed (`du -x` shows what is large), "
                "then run subfloor again",
            )

    def _chmod(self, machine: Machine) -> Step | None:
        """A step that sets the mode of the root directory; None if it is in sync.

        The option `mode=` of the mount shows only the first mode of the directory, not the current one.
        """
        root, mode = machine[Path(self.path)], mode_of(self.mode)
        if not isinstance(root, Node) or root.mode == mode:
            return None
        return Step(
            says=f"Set the mode of {self.path} to {mode:04o}",
            commands=(Command(("chmod", f"{mode:04o}", "--", self.path)),),
            after=machine.with_(Path(self.path), replace(root, mode=mode)),
        )

    def _shown(self, memory: MemoryState) -> frozenset[str]:
        """The options that the kernel shows after the mount."""
        pages = self._pages(memory)
        size = frozenset({f"size={pages * memory.page // 1024}k"}) if pages != memory.pages // 2 else frozenset()
        return size | mount_options.wanted("tmpfs", self.options).shown

    def _pages(self, memory: MemoryState) -> int:
        """The size in pages, rounded up as mm/shmem.c does (shmem_parse_one)."""
        if percent := _PERCENT.fullmatch(self.size):
            return -(-(memory.pages * memory.page * int(percent[1]) // 100) // memory.page)
        return -(-sizes.parse(self.size) // memory.page)


def _pages(options: frozenset[str], memory: MemoryState) -> int:
    """The size of a mounted tmpfs in pages. The kernel does not show the default size, half of the memory."""
    shown = mount_options.size(options)
    return int(shown.removesuffix("k")) * 1024 // memory.page if shown else memory.pages // 2


def _for_kernel(size: str) -> str:
    """A size as the kernel writes it, with binary units: `2G` for `2GiB`."""
    return size.removesuffix("iB").removesuffix("B").replace("K", "k")


def _check_size(size: str) -> None:
    if size.endswith("%"):
        if not _PERCENT.fullmatch(size):
            raise ValueError(f"{size} is out of range: from 1% to 100%")
        return
    sizes.parse(size)


def _check_options(options: tuple[str, ...]) -> None:
    mount_options.check(options)
    for option in options:
        if option.partition("=")[0] in ("size", "mode", "nr_blocks"):
            raise ValueError(f"{option} is not allowed here; use the parameters `size` and `mode`")


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (TmpfsMount,)
