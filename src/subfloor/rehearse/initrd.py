"""Build the guest's initrd in memory. Pure.

An initrd is only a cpio archive, so it is written here without tools that the host may lack. The initrd contains
busybox, a few kernel modules, and two scripts.
"""

from __future__ import annotations

import gzip
import lzma
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

# Needed for the shared root and the agent's port; the guest loads all other modules from the share.
EARLY_MODULES = ("virtio_pci", "virtio_console", "9p", "9pnet_virtio", "overlay")
_COMPRESSED = (".gz", ".xz", ".zst")


@dataclass(frozen=True)
class Entry:
    """One entry of an archive: a regular file, or a directory if `content` is None."""

    path: str
    content: bytes | None = None
    permissions: int = 0o755


def archive(entries: Iterable[Entry]) -> bytes:
    """A gzipped cpio archive (newc), which the kernel unpacks as its first root."""
    parts: list[bytes] = []
    for number, entry in enumerate((*entries, Entry("TRAILER!!!", b"", 0)), start=1):
        parts.append(_record(number, entry))
    return gzip.compress(b"".join(parts), compresslevel=1, mtime=0)


def _record(number: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    content = entry.content or b""
    kind = stat.S_IFDIR if entry.content is None else stat.S_IFREG
    mode = kind | entry.permissions if entry.path != "TRAILER!!!" else 0
    #        inode   mode uid gid links time size  major minor rmajor rminor name  check
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _pad(header + name) + _pad(content)


def _pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def module_name(path: str) -> str:
    """The kernel's name for the module in this file: `kernel/fs/9p/9p.ko.xz` is `9p`."""
    return PurePosixPath(path).name.split(".ko", 1)[0].replace("-", "_")


def load_order(modules_dep: str, builtin: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """The module files to load, each after its dependencies, from a kernel's own index files.

    Raises `LookupError` with the name of a module that the kernel has neither as a file nor built in.
    """
    needs: dict[str, tuple[str, ...]] = {}
    for line in modules_dep.splitlines():
        path, _, others = line.partition(":")
        needs[path] = tuple(others.split())
    by_name = {module_name(path): path for path in needs}
    inside = {module_name(line) for line in builtin.splitlines()}
    order: dict[str, None] = {}
    for name in wanted:
        if name in inside:
            continue
        if name not in by_name:
            raise LookupError(name)
        # modules.dep lists all dependencies of a module, the nearest first.
        for path in (*reversed(needs[by_name[name]]), by_name[name]):
            order.setdefault(path)
    return tuple(order)


def plain(path: str, content: bytes) -> bytes:
    """A module's bytes, uncompressed. Raises `ValueError` for a compression that Python does not support."""
    if path.endswith(".gz"):
        return gzip.decompress(content)
    if path.endswith(".xz"):
        return lzma.decompress(content)
    if path.endswith(_COMPRESSED):
        raise ValueError(f"{path}: the compression of the modules is not supported")
    return content


def build(busybox: bytes, modules: Mapping[str, bytes], scripts: Mapping[str, bytes]) -> bytes:
    """The initrd: busybox, the modules in the mapping's order, and the scripts by their absolute paths."""
    directories = ("bin", "dev", "lower", "modules", "new", "proc", "sys", "writable")
    entries = [Entry(name) for name in directories]
    entries.append(Entry("bin/busybox", busybox))
    # Numbered, so that a plain glob loads them in order.
    entries += [
        Entry(f"modules/{number:03}-{module_name(path)}.ko", plain(path, content), 0o644)
        for number, (path, content) in enumerate(modules.items())
    ]
    entries += [Entry(path.lstrip("/"), content) for path, content in scripts.items()]
    return archive(entries)
