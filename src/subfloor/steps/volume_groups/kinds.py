"""The commands that make each kind of logical volume, and leave LVM nothing to choose; checks of a volume. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from subfloor.core.errors import Refused
from subfloor.core.task import Command
from subfloor.observe.volume_group import Group, Logical
from subfloor.steps.volume_groups.declared import Declared
from subfloor.steps.volumes.volume_group import ENV, SETTINGS
from subfloor.storage import lvm
from subfloor.storage.lvm_kinds import LINEAR, POOL, STRIPE, THIN, chunk, metadata


def create(declared: Declared, group: Group, extents: int) -> Command:
    """A command that makes the volume, inactive. Its tag shows that the volume is not emptied yet."""
    # A thin volume reads as zeros where it was not written to, since its pool is made with --zero y.
    usual = ("--wipesignatures", "n", "--zero", "n")
    before = {THIN: (), POOL: ("--zero", "y")}.get(declared.shape.kind, usual)
    how = ("--yes", *before, "--activate", "n", *_options(declared, group, extents))
    new = lvm.tag(declared.uuid, lvm.NEW)
    return Command(("lvcreate", *SETTINGS, *how, "--addtag", new, "--name", declared.name, declared.group), env=ENV)


def _options(declared: Declared, group: Group, extents: int) -> Iterator[str]:
    shape = declared.shape
    if shape.kind != LINEAR:
        yield from ("--type", shape.kind)
    if shape.kind == THIN:
        yield from ("--virtualsize", f"{extents * group.extent}b", "--thinpool", declared.pool)
        return
    yield from ("--extents", str(extents))
    if shape.kind == POOL:
        size = metadata(extents, group.extent) * group.extent
        yield from ("--chunksize", f"{chunk(extents, group.extent)}b", "--poolmetadatasize", f"{size}b")
        yield from ("--poolmetadataspare", "y")
    if shape.stripes > 1:
        yield from ("--stripes", str(shape.stripes), "--stripesize", f"{STRIPE}b")
    if shape.copies > 1:
        yield from ("--mirrors", str(shape.copies - 1))


def planned(declared: Declared, extents: int, stage: str) -> Logical:
    """The volume as LVM lists it once it is made; ``stage``: the stage in its tag."""
    shape = declared.shape
    images = shape.images if shape.is_divided else 1
    tags = frozenset({lvm.tag(declared.uuid, stage)})
    return Logical(declared.name, extents, tags, shape.kind, images, declared.pool)


def check_same(declared: Declared, there: Logical) -> None:
    """Raise ``Refused`` if the kind, the number of images or the pool of our volume differs: nothing is converted."""
    wanted = planned(declared, there.extents, "")
    if (there.kind, there.images, there.pool) != (wanted.kind, wanted.images, wanted.pool):
        raise Refused(
            f"the logical volume {declared.full_name} is {_words(there)}, but {_words(wanted)} is declared",
            advice="declare what it is; to change it, see lvconvert(8): copy what is in it first",
        )


def _words(volume: Logical) -> str:
    images = f" of {volume.images} images" if volume.images > 1 else ""
    return f"{volume.kind}{images}" + (f" in {volume.pool}" if volume.pool else "")


def check_possible(declared: Declared, group: Group) -> None:
    """Raise ``Refused`` if a new volume must come after another one, needs more physical volumes, or lacks its pool."""
    shape, physical = declared.shape, len(group.physical)
    if waiting := next((name for name in declared.later if group.volume(name) is None), None):
        raise Refused(
            f"{declared.full_name} could take the room that the images of {waiting!r} need on several physical volumes",
            advice=f"put the task for {waiting!r} before this one",
        )
    if shape.is_divided and shape.images > physical:
        raise Refused(
            f"{declared.full_name} needs {shape.images} physical volumes, and the group has {physical}",
            advice="add volumes to `devices` of the `volume-group` task, or declare fewer `stripes` or `copies`",
        )
    if shape.kind == THIN:
        pool = group.volume(declared.pool)
        if pool is None or pool.kind != POOL or any(tag.endswith(lvm.NEW) for tag in pool.tags):
            raise Refused(
                f"there is no thin pool {declared.group}/{declared.pool}",
                advice="put a `logical-volume` task with `type: thin-pool` for it before this one",
            )
