"""What is really on a disk, by other people's programs: none of subfloor's code looks at what subfloor made.

`faults` judges a disk that is said to be in sync: the table by sfdisk and sgdisk, what the kernel knows by
sysfs, filesystems by blkid, their own fsck and a real mount. `portrait` is what there is to compare.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loop_disks import LoopDisk, run, said

TYPES = {
    "linux": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    "swap": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    "esp": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
}
"""Types of partitions, from the Discoverable Partitions Specification and the UEFI one."""

FSCK: Mapping[str, tuple[str, ...]] = {
    "ext4": ("e2fsck", "-f", "-n"),
    "vfat": ("fsck.fat", "-n"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
    "f2fs": ("fsck.f2fs", "--dry-run"),
}
_MOUNT_OPTIONS = {"xfs": "ro,nouuid"}
_MTOOLS = ("env", "MTOOLS_SKIP_CHECK=1")


@dataclass(frozen=True)
class Part:
    """A partition as it must be in the end: ``files`` are the only ones on it. Number 0: the whole disk."""

    number: int
    name: str
    type: str
    label: str
    kind: str = "linux"
    files: Mapping[str, bytes] = field(default_factory=dict)


def faults(disk: LoopDisk, parts: tuple[Part, ...]) -> list[str]:
    """All that is wrong with a disk that should have exactly these partitions, finished; empty if nothing is."""
    if [part.number for part in parts] == [0]:
        return list(_whole_faults(disk, parts[0]))
    found = list(_table_faults(disk))
    entries = _entries(disk)
    if sorted(entries) != [part.number for part in parts]:
        return [*found, f"the partitions are {sorted(entries)}"]
    for part in parts:
        found += [f"partition {part.number}: {fault}" for fault in _part_faults(disk, part, entries[part.number])]
    return found


def portrait(disk: LoopDisk) -> str:
    """The table, and each filesystem's type, label and UUID, in which no two runs may differ."""
    if not _dump(disk):
        return f"{_tags(disk.node)} {_end(disk)!r}"
    table = [line.replace(disk.node, "disk") for line in said("sfdisk", "--dump", disk.node).splitlines()]
    kept = [line for line in table if not line.startswith("device:")]
    return "\n".join([*kept, *(f"{number}: {_tags(disk.partition(number))}" for number in sorted(_entries(disk)))])


def label_id(disk: LoopDisk) -> str:
    """The label-id of the disk's GPT; empty where there is none."""
    found = re.search(r"^label-id: (.*)$", _dump(disk), re.MULTILINE)
    return found[1] if found else ""


def names(disk: LoopDisk) -> list[str]:
    """The names of its partitions; of a disk without a table, what it says of itself near its end."""
    table = _dump(disk)
    return re.findall(r'name="([^"]*)"', table) if table else [_end(disk)]


def _end(disk: LoopDisk) -> str:
    """The text where a whole disk is marked as unfinished."""
    with Path(disk.node).open("rb") as file:
        file.seek(-(1 << 20), 2)
        return file.read(512).strip(b"\0\n").decode("utf-8", "replace")


def _whole_faults(disk: LoopDisk, part: Part) -> Iterator[str]:
    if (found := said("wipefs", "--noheadings", "--output", "TYPE", disk.node).split()) != [part.type]:
        yield f"wipefs finds {found}"
    if end := _end(disk):
        yield f"there is a mark left: {end!r}"
    yield from _content_faults(disk.node, part)


def _dump(disk: LoopDisk) -> str:
    return run("sfdisk", "--dump", disk.node, check=False).stdout.decode("utf-8", "replace")


def _entries(disk: LoopDisk) -> dict[int, dict[str, str]]:
    """The partitions in the table, by number: start, size, type, uuid, name."""
    found = {}
    for line in _dump(disk).splitlines():
        if match := re.fullmatch(rf"{re.escape(disk.node)}p(\d+) : (.*)", line):
            pairs = re.findall(r'(\w+)= *("[^"]*"|[^, ]+)', match[2])
            found[int(match[1])] = {key: value.strip('"') for key, value in pairs}
    return found


def _table_faults(disk: LoopDisk) -> Iterator[str]:
    """Both copies, and that the second one is at the end."""
    verified = run("sfdisk", "--verify", disk.node, check=False)
    if verified.returncode or b"No errors detected" not in verified.stdout or verified.stderr.strip():
        yield f"sfdisk --verify: {(verified.stdout + verified.stderr).decode().strip()}"
    checked = run("sgdisk", "--verify", disk.node, check=False)
    if checked.returncode or b"No problems found" not in checked.stdout:
        yield f"sgdisk --verify: {(checked.stdout + checked.stderr).decode().strip()}"
    if beside := said("wipefs", "--noheadings", "--output", "TYPE", disk.node).split():
        strays = set(beside) - {"gpt", "PMBR"}
        if strays:
            yield f"wipefs finds beside the table: {sorted(strays)}"


def _part_faults(disk: LoopDisk, part: Part, entry: Mapping[str, str]) -> Iterator[str]:
    node = disk.partition(part.number)
    wanted = (part.name, TYPES[part.kind])
    if (entry.get("name"), entry["type"]) != wanted:
        yield f"it is {entry.get('name')}, {entry['type']} in the table, not {wanted}"
    sysfs = Path(f"/sys/class/block/{Path(node).name}")
    known = {key: (sysfs / key).read_text().strip() for key in ("start", "size")} if sysfs.exists() else None
    if known != {key: entry[key] for key in ("start", "size")}:
        yield f"the kernel has it at {known}"
        return
    yield from _content_faults(node, part)


def _content_faults(node: str, part: Part) -> Iterator[str]:
    tags = _tags(node)
    if (tags.get("TYPE"), tags.get("LABEL", "")) != (part.type, part.label):
        yield f"blkid finds {tags}, not {part.type} {part.label!r}"
        return
    yield from _unsound(node, part.type)
    yield from _FILES[part.type](node, part)


def _tags(node: str) -> dict[str, str]:
    """What blkid reads from the device itself: two kinds of signature are an error (its status 8)."""
    options = ("--probe", "--output", "export", "--match-tag", "TYPE", "--match-tag", "LABEL", "--match-tag", "UUID")
    found = run("blkid", *options, node, check=False)
    pairs = (line.partition("=") for line in found.stdout.decode("utf-8", "replace").splitlines())
    tags = {key: value for key, _, value in pairs if key != "DEVNAME"}
    return tags if found.returncode in (0, 2) else {"blkid": f"status {found.returncode}"}


def _unsound(node: str, type: str) -> Iterator[str]:
    if type in FSCK:
        done = run(*FSCK[type], node, check=False)
        if done.returncode:
            yield f"{FSCK[type][0]} ended with {done.returncode}: {(done.stdout + done.stderr).decode()[-600:]}"


@contextlib.contextmanager
def mounted(node: str, type: str, options: str = "ro") -> Iterator[Path]:
    """The filesystem, mounted for a while."""
    with tempfile.TemporaryDirectory() as name:
        run("mount", "-t", type, "-o", options, node, name)
        try:
            yield Path(name)
        finally:
            run("umount", name)
            if type == "btrfs":  # else the kernel goes on knowing a filesystem that is there no more
                run("btrfs", "device", "scan", "--forget", node, check=False)


def _mounted_files(node: str, part: Part) -> Iterator[str]:
    try:
        with mounted(node, part.type, _MOUNT_OPTIONS.get(part.type, "ro")) as at:
            files = {str(path.relative_to(at)): path.read_bytes() for path in at.rglob("*") if path.is_file()}
    except Exception as error:
        yield f"it cannot be mounted and read: {getattr(error, 'stderr', error)!r}"
        return
    yield from _differing(files, part)


def _fat_files(node: str, part: Part) -> Iterator[str]:
    """The kernel may know no FAT, so mtools looks."""
    listed = run(*_MTOOLS, "mdir", "-/", "-b", "-i", node, "::", check=False)
    paths = [line.removeprefix("::/") for line in listed.stdout.decode().splitlines() if line.strip()]
    files = {path: run(*_MTOOLS, "mtype", "-i", node, f"::{path}", check=False).stdout for path in paths}
    yield from _differing(files, part)


def _f2fs_files(node: str, part: Part) -> Iterator[str]:
    """The kernel may know no F2FS: inodes are counted, and what they hold is looked for on the device."""
    dumped = run("dump.f2fs", "-d", "1", node, check=False).stdout.decode("utf-8", "replace")
    counted = re.search(r"valid_inode_count\s+\[0x\s*[0-9a-f]+ : (\d+)\]", dumped)
    if not counted or int(counted[1]) != 1 + len(part.files):
        yield f"f2fs has {counted and counted[1]} inodes, its root among them, and {len(part.files)} files are wanted"
    bytes_there = Path(node).read_bytes() if part.files else b""
    yield from (f"{name} is not there" for name, data in part.files.items() if data not in bytes_there)


def _no_files(node: str, part: Part) -> Iterator[str]:
    """A swap area: swaplabel reads its header by itself."""
    done = run("swaplabel", node, check=False)
    if done.returncode or f"LABEL: {part.label}" not in done.stdout.decode():
        yield f"swaplabel: {(done.stdout + done.stderr).decode()}"


def _differing(files: Mapping[str, bytes], part: Part) -> Iterator[str]:
    if sorted(files) != sorted(part.files):
        yield f"the files on it are {sorted(files)}, and must be {sorted(part.files)}"
    yield from (f"{name} has other content" for name in files if part.files.get(name, files[name]) != files[name])


_FILES: Mapping[str, Callable[[str, Part], Iterator[str]]] = {
    "ext4": _mounted_files,
    "xfs": _mounted_files,
    "btrfs": _mounted_files,
    "vfat": _fat_files,
    "f2fs": _f2fs_files,
    "swap": _no_files,
}


def put_files(node: str, type: str, files: Mapping[str, bytes]) -> None:
    """Put files on a filesystem, as its owner would."""
    if type == "swap":
        return
    with tempfile.TemporaryDirectory() as name:
        for file, data in files.items():
            (Path(name) / file).write_bytes(data)
        if type == "vfat":
            run(*_MTOOLS, "mcopy", "-i", node, *Path(name).iterdir(), "::")
        elif type == "f2fs":
            run("sload.f2fs", "-f", name, node)
        else:
            with mounted(node, type, "rw") as at:
                run("cp", "--recursive", f"{name}/.", at)
    run("sync", node)
