"""A playbook that was changed after the install: what happens, which bytes of the disk, and then the old one again.

What is there is never renumbered, moved, shrunk or remade because the playbook says something else now, unless
consent was given to lose it.
The table says of each change how it ends, what is said, and what is written: nothing, the table alone, or that
and some partitions. Whatever else there was is compared byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from counting import Count
from crash.forked import Ran
from crash.installed import (
    DISK,
    MOUNTS,
    PLACES,
    Change,
    Installed,
    Tasks,
    both,
    in_task,
    install,
    installed,
    mounting,
    partition,
    with_more,
    without,
)
from crash.sample import sample
from disk_oracle import faults

pytestmark = pytest.mark.root

OK, DRIFT, REFUSED, NEEDS_CONSENT, USAGE = 0, 2, 3, 5, 64


@dataclass(frozen=True)
class Case:
    """``ends``: the exit status of apply; a check says the same, or that there is drift. ``says``: among its words.

    ``writes``: whether anything is written to the disk; ``changes``: the partitions of which a byte may change.
    ``back``: the exit status of the old playbook afterwards, and what it says.
    """

    change: Change
    ends: int = OK
    says: str = ""
    writes: bool = False
    changes: frozenset[int] = frozenset()
    back: tuple[int, str] = (OK, "")
    options: tuple[str, ...] = ()
    seed: str = "bench"


def same(tasks: Tasks) -> Tasks:
    return tasks


def refused(change: Change, says: str, **more: object) -> Case:
    return Case(change, REFUSED, says, **more)  # type: ignore[arg-type]


def of(number: int, /, **change: object) -> Change:
    return in_task("aligned-partition", change, number=number)


def holding(label: str, /, **change: object) -> Change:
    return in_task("mkfs", change, label=label)


MORE = partition(5, "more", "linux", "16MiB", "ext4", "more")
LOST = "--destroy"


def status(ran: Ran) -> int:
    """The exit status; what needs consent counts as refused, and must name the option for it."""
    return REFUSED if ran.status == NEEDS_CONSENT and LOST in ran.said else ran.status


ON_DISK = {
    "nothing": Case(same),
    # Partitions come and go.
    "partition-added-case-49": Case(with_more(MORE), writes=True),
    "partition-inserted-before-others-case-49": Case(with_more(MORE, at=2), writes=True),
    "partition-inserted-and-the-rest-renumbered-case-49": refused(
        both(
            of(2, number=3),
            with_more(partition(2, "first", "linux", "16MiB", "ext4", "first"), at=4),
        ),
        "declares partition 3 of",
    ),
    "two-partitions-exchange-numbers-case-49": refused(
        both(of(3, number=9), of(4, number=3), of(9, number=4)), "'data' is declared in its place"
    ),
    "partition-removed-case-37": Case(without("aligned-partition", "mkfs", number=3, name="data")),
    "partition-and-filesystem-removed-case-37": Case(
        both(without("aligned-partition", number=3), without("mkfs", label="data"))
    ),
    "number-given-to-another-case-33": refused(
        both(
            without("aligned-partition", number=3),
            without("mkfs", label="data"),
            with_more(partition(3, "other", "linux", "16MiB", "ext4", "other")),
        ),
        "('other' is declared in its place)",
    ),
    "name-given-to-another-case-04": refused(with_more(partition(5, "data", "linux", "16MiB", "ext4", "d")), "'data'"),
    "one-number-twice-case-01": refused(
        with_more(partition(4, "more", "linux", "16MiB", "ext4", "more")), "declares partition 4"
    ),
    "added-and-no-room": refused(with_more(partition(5, "more", "linux", "1GiB", "ext4", "more")), "there is no room"),
    # A partition is declared otherwise.
    "renamed-case-50": refused(of(3, name="files"), "'files' is declared in its place"),
    "retyped-case-50": Case(of(3, type="swap"), says="Set the type from 'linux' to 'swap'", writes=True),
    "type-as-guid": Case(of(3, type="0FC63DAF-8483-4772-8E79-3D69D8477DE4")),
    "shrunk-case-50": refused(of(4, size="32MiB"), "it has 48MiB, but 32MiB is declared"),
    "shrunk-to-a-percentage": refused(of(4, size="10%"), LOST),
    "grown-with-room": Case(
        both(of(4, size="80MiB"), without("mkfs", label="nixos")),
        says="Grow partition 4",
        writes=True,
        back=(REFUSED, LOST),
    ),
    "grown-to-the-rest": Case(
        both(of(4, size="rest"), without("mkfs", label="nixos")),
        says="Grow partition 4",
        writes=True,
        back=(REFUSED, LOST),
    ),
    "grown-without-room": refused(of(3, size="48MiB"), "(in the way of 'data'"),
    "the-same-size-in-other-words": Case(of(4, size="49152KiB")),
    "started-where-it-is": Case(of(1, start="1MiB")),
    "moved-case-50": refused(of(1, start="2MiB"), "it starts at 1MiB, but 2MiB is declared"),
    "started-off-the-grid-case-03": refused(of(1, start="1025KiB"), "not an aligned position"),
    "attributes-set": Case(of(1, attributes=["required"]), says="Set the attributes", writes=True),
    "raw-though-it-is-filled": Case(of(3, raw=True)),
    # What a partition holds is declared otherwise.
    "label-of-ext4-case-50": Case(holding("data", label="files"), says="'files'", writes=True, changes=frozenset({3})),
    "label-of-ext4-none": Case(holding("nixos", label=""), writes=True, changes=frozenset({4})),
    "label-of-vfat": Case(holding("boot", label="EFI"), says="'EFI'", writes=True, changes=frozenset({1})),
    "label-of-swap": Case(holding("swap", label="pages"), says="'pages'", writes=True, changes=frozenset({2})),
    "label-too-long-case-07": Case(holding("boot", label="far too long a label"), USAGE, "too long", back=(OK, "")),
    "filesystem-case-50": refused(holding("nixos", type="f2fs"), LOST),
    "filesystem-with-consent-case-50": Case(
        holding("nixos", type="vfat"),
        says="vfat",
        writes=True,
        changes=frozenset({4}),
        back=(REFUSED, LOST),
        options=("--destroy", "{disk}p4"),
    ),
    "filesystem-with-consent-for-another": refused(
        holding("nixos", type="f2fs"), "{disk}p4", options=("--destroy", "{disk}p3")
    ),
    "filesystem-unknown-case-15": Case(holding("nixos", type="ext5"), USAGE, "ext4"),
    "filesystem-on-the-esp": refused(holding("boot", type="ext4"), LOST),
    "filesystem-in-place-of-swap": refused(holding("swap", type="f2fs"), LOST),
    "options-of-mkfs": Case(holding("nixos", options=["-m", "1"])),
    "mkfs-dropped": Case(without("mkfs")),
    "partitions-dropped-and-their-filesystems-kept": Case(without("aligned-partition")),
    # The disk is declared otherwise.
    "wipefs-dropped": Case(without("wipefs")),
    "gpt-label-dropped": Case(without("gpt-label")),
    "another-seed-case-38": refused(same, LOST, seed="another"),
    "another-seed-with-consent-case-38": Case(
        same,
        writes=True,
        changes=frozenset({1, 2, 3, 4}),
        seed="another",
        options=("--destroy", "{disk}"),
        back=(REFUSED, LOST),
    ),
    "another-name-of-the-disk": refused(
        both(in_task("wipefs", {"disk": "other"}), in_task("gpt-label", {"disk": "other"})), LOST
    ),
    "another-disk-that-is-not-there-case-09": refused(
        in_task("gpt-label", {"device": "/dev/nowhere"}), "there is no device /dev/nowhere"
    ),
    # Its order.
    "filesystems-in-reverse": Case(lambda tasks: [*tasks[:2], *reversed(tasks[2:])]),
    "wholly-in-reverse": Case(lambda tasks: list(reversed(tasks))),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The disk of a machine that was installed, with files on it."""
    made = install(tmp_path_factory.mktemp("installed"))
    yield made
    made.unlink()


@pytest.mark.parametrize("name", sample([*ON_DISK], 16, seed="on disk"))
def test_changes_of_the_disk(name: str, image: Path, tmp_path: Path, count: Count) -> None:
    case = ON_DISK[name]
    with installed(tmp_path, image) as machine:
        disk, before, written = machine.place.disk, machine.blocks(), machine.place.disk.writes()
        tasks = case.change(DISK)
        options = [each.format(disk=disk.node) for each in case.options]
        checked = machine.ran("check", tasks, *options, seed=case.seed)
        assert status(checked) == (DRIFT if case.writes else case.ends), checked.said
        assert disk.writes() == written, "a check wrote to the disk"
        done = machine.ran("apply", tasks, *options, seed=case.seed)
        assert status(done) == case.ends, done.said
        assert case.says.format(disk=disk.node) in done.said, done.said
        assert (disk.writes() != written) == case.writes
        if case.writes:
            assert machine.ran("check", tasks, seed=case.seed).status == OK
            assert touched(before, machine.blocks()) == case.changes
            again(machine, case)
    count("changed playbook", f"{'applied' if case.ends == OK else 'refused'}, as the table has it")


def touched(before: dict[int, bytes], after: dict[int, bytes]) -> set[int]:
    """The partitions of which a byte is another."""
    differing = {at for at in before.keys() | after.keys() if before.get(at) != after.get(at)}
    return {number for number, place in PLACES.items() if differing & set(place)}


def again(machine: Installed, case: Case) -> None:
    """The old playbook ends as it should; where it comes through, all is there and sound, with every file."""
    done = machine.ran("apply", DISK)
    assert status(done) == case.back[0] and case.back[1] in done.said, done.said
    if done.status == OK:
        # A partition that was added stays; of it nothing is said here.
        found = faults(machine.place.disk, machine.place.layout.parts)
        assert [fault for fault in found if "the partitions are [1, 2, 3, 4, 5]" not in fault] == []


# What is mounted.


@dataclass(frozen=True)
class Mounting:
    """``ends`` and ``says`` as in a case; ``drifts``: whether there is something to do.

    ``shows``: words of what findmnt(8) shows afterwards of the place that was changed.
    """

    change: Change
    place: str = "/data"
    shows: str = ""
    ends: int = OK
    says: str = ""
    drifts: bool = True
    back: tuple[int, str] = (OK, "")


def tmpfs(**change: object) -> Change:
    return in_task("tmpfs-mount", change)


def data(**change: object) -> Change:
    return in_task("mount", change, path="{{ root }}/data")


LOG = {"root": "{{ root }}", "path": "/var/log"}

MOUNTED = {
    "nothing": Mounting(same, drifts=False),
    "tmpfs-grown-case-62": Mounting(tmpfs(size="32MiB"), "", "size=32768k"),
    "tmpfs-shrunk-case-62": Mounting(tmpfs(size="8MiB"), "", "size=8192k"),
    "tmpfs-without-setuid-case-62": Mounting(tmpfs(options=["nosuid"]), "", "nosuid"),
    "tmpfs-of-another-mode": Mounting(tmpfs(mode="0750"), "", "tmpfs"),
    "options-added": Mounting(data(options=["noatime", "nosuid", "nodev"]), shows="nosuid,nodev"),
    "options-in-another-order-case-62": Mounting(data(options=["rw", "noatime"]), shows="noatime", drifts=False),
    "options-taken-away": Mounting(data(options=[]), shows="noatime", drifts=False),
    "read-only": Mounting(data(options=["noatime", "ro"]), shows="ro,"),
    "another-source-case-59": Mounting(data(source="{{ disk | partition(4) }}"), ends=REFUSED, says="is mounted"),
    "another-type": Mounting(data(type="xfs"), ends=REFUSED, says="holds ext4, but xfs is declared"),
    "mounted-nowhere-any-more": Mounting(without("mount", path="{{ root }}/data"), shows="ext4", drifts=False),
    "mounted-in-a-second-place": Mounting(with_more([mounting(3, "/more")]), "/more", "ext4"),
    "one-more-is-kept": Mounting(
        with_more([{"bind-persist": {"root": "{{ root }}", "path": "/var/lib/nixos"}}]), "/var/lib/nixos", "ext4"
    ),
    "one-is-kept-no-more": Mounting(without("bind-persist", **LOG), "/var/log", "ext4", drifts=False),
    "kept-with-another-mode": Mounting(in_task("bind-persist", {"mode": "0700"}, **LOG), "/var/log", "ext4"),
    "kept-elsewhere-case-60": Mounting(
        in_task("bind-persist", {"store": "/nix/keep"}, **LOG), "/var/log", ends=REFUSED, says="is mounted"
    ),
    "what-is-there-would-be-hidden": Mounting(
        with_more([{"bind-persist": {"root": "{{ root }}", "path": "/srv"}}]), "", ends=REFUSED, says="letter.txt"
    ),
    "mounts-in-reverse": Mounting(lambda tasks: list(reversed(tasks)), drifts=False),
    "label-of-one-in-use": Mounting(holding("data", label="files"), shows="ext4", says="'files'"),
    "another-seed-while-in-use-case-32": Mounting(in_task("wipefs", {"disk": "other"}), ends=REFUSED, says="is in use"),
}


@pytest.mark.parametrize("name", sample([*MOUNTED], 8, seed="mounted"))
def test_changes_of_mounts(name: str, image: Path, tmp_path: Path, count: Count) -> None:
    case = MOUNTED[name]
    everything = [*DISK, *MOUNTS]
    with installed(tmp_path, image) as machine:
        done = machine.ran("apply", everything)
        assert done.status == OK, done.said
        (machine.root / "srv").mkdir()
        letters = [machine.root / name / "letter.txt" for name in ("", "srv", "data", "nix", "var/log")]
        for letter in letters:
            letter.write_text("dear")
        changed = case.change(everything)
        drifted = DRIFT if case.drifts else OK
        assert status(machine.ran("check", changed)) == (drifted if case.ends == OK else case.ends)
        made = machine.ran("apply", changed)
        assert status(made) == case.ends and case.says in made.said, made.said
        if case.ends == OK:
            assert case.shows in shown(machine, case.place)
        if case.ends == OK and case.drifts:
            assert machine.ran("check", changed).status == OK
        assert all(letter.read_text() == "dear" for letter in letters)
        old = machine.ran("apply", everything)
        assert status(old) == case.back[0] and case.back[1] in old.said, old.said
        assert all(letter.read_text() == "dear" for letter in letters)
    count("changed playbook", f"{'applied' if case.ends == OK else 'refused'}, as the table has it")


def shown(machine: Installed, place: str) -> str:
    """The last mount at a place, as findmnt(8) shows it."""
    return [line for line in machine.mounts() if line.split()[0] == f"{machine.root}{place}"][-1]
