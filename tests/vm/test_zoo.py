"""Disks that other tools left, with udev around them and their partitions in the kernel.

Without consent not one byte of them changes. The first run that has consent lays them out, and nothing comes back,
not even when the disk is plugged in anew. What is in use is refused whatever is consented to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from counting import Count
from crash.forked import Ran
from crash.sample import everything
from subfloor import rehearse
from vm import zoo
from vm.conftest import runs, serve, shell

Subfloor = Callable[..., list[Ran]]

REFUSED = (3, 5)
EVERYDAY = (
    "sfdisk-gpt-two-filesystems",
    "iso-isohybrid-mbr-gpt-and-apple-map",
    "busy-md",
)
CHOSEN = [each for each in zoo.foreign_disks() if everything() or each.name in EVERYDAY]
"""Those that are met every day, unless all are asked for."""


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rehearse.Machine]:
    """A guest with small disks."""
    work = tmp_path_factory.mktemp("zoo")
    with rehearse.boot(
        rehearse.Guest(rehearse.find_kernel(), zoo.DISKS, memory_mib=1536, cpus=1), workdir=work
    ) as machine:
        yield machine


@pytest.fixture(scope="module")
def subfloor(guest: rehearse.Machine) -> Subfloor:
    return runs(serve(guest))


@pytest.fixture
def sh(guest: rehearse.Machine) -> zoo.Sh:
    return shell(guest)


@pytest.mark.parametrize("foreign", CHOSEN, ids=[f"{each.of}/{each.name}" for each in CHOSEN])
def test_a_disk_that_another_tool_left(
    foreign: zoo.ForeignDisk, guest: rehearse.Machine, subfloor: Subfloor, sh: zoo.Sh, count: Count
) -> None:
    node = foreign.node
    sh(zoo.EMPTY, *guest.images, timeout=120)
    if foreign.ours is not None:
        assert subfloor(words(node, *foreign.ours))[0].status == 0
    assert not (wrong := zoo.make(guest, foreign, foreign.make, node)), f"the disk could not be made: {wrong}"
    if foreign.busy:
        said = unchanged(guest, subfloor, sh, node, consent=("--destroy", node), says="in use")
        assert [word for word in foreign.shows if word not in said] == [], said
        count("zoo", "in use: refused whatever is consented to, not one byte changed")
        assert not (wrong := zoo.make(guest, foreign, foreign.busy, node)), wrong
    elif foreign.kept:
        unchanged(guest, subfloor, sh, node, consent=("--destroy", node), says=foreign.kept)
        count("zoo", "refused whatever is consented to, not one byte changed")
    elif foreign.asks:
        said = unchanged(guest, subfloor, sh, node, consent=("--destroy", zoo.SECOND), says=f"--destroy {node}")
        assert [word for word in foreign.shows if word not in said] == [], said
        count("zoo", "refused without consent, not one byte changed")
    consent = ("--destroy", node) if foreign.asks else ()
    name = ("-e", "called=again") if foreign.kept else ()
    (done,) = subfloor(words(node, *name, *consent))
    assert done.status == 0, done.said
    sh(zoo.REPLUG, node)
    assert zoo.remains(sh, node) == zoo.wanted(node)
    (checked,) = subfloor(["check", *words(node, *name)[1:]])
    assert checked.status == 0, checked.said
    count("zoo", "laid out by the first run with consent, nothing came back")


def words(node: str, *more: str) -> list[str]:
    return ["apply", zoo.PLAY, "-e", f"disk={node}", *more]


def unchanged(
    guest: rehearse.Machine, subfloor: Subfloor, sh: zoo.Sh, node: str, *, consent: tuple[str, str], says: str
) -> str:
    """No run writes to the disk; all of them end with 3 or 5, and say why. What the first of them said."""
    sh("udevadm settle; sync; sleep 0.3")
    before = [zoo.digest(image) for image in guest.images.values()], zoo.written(sh, node)
    ran = subfloor(["check", *words(node)[1:]], words(node, *consent))
    for each in ran:
        assert each.status in REFUSED, each.said
        assert says in each.said, each.said
    assert ([zoo.digest(image) for image in guest.images.values()], zoo.written(sh, node)) == before
    return ran[0].said
