"""Make a container on a volume, and label it. Pure."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Command, Step
from subfloor.observe.disk import Content, Missing
from subfloor.observe.luks import Header
from subfloor.steps import contents
from subfloor.steps.containers import commands
from subfloor.steps.containers.declared import Container
from subfloor.steps.volumes import Volume, luks
from subfloor.storage.filesystems import LUKS
from subfloor.storage.marks import final
from subfloor.storage.sizes import MIB


def is_ours(volume: Volume, found: Content | None) -> bool:
    """Whether this content is the container that this play makes on the volume."""
    wanted = str(volume.identity.filesystem(volume.uuid))
    return found is not None and (found.type, found.uuid) == (LUKS, wanted)


def make(volume: Volume, declared: Container) -> Step:
    """A step that makes the container with all of its keys, and tries each key. Raises ``Refused``, ``LookNeeded``."""
    check_room(volume)
    volume.check_unused()
    check_name(volume, declared)
    first, *others = declared.keys_for("to make the container")
    wanted = Content(LUKS, declared.first_label, str(volume.identity.filesystem(volume.uuid)))
    making = (
        commands.format_(volume, wanted.label, first, (*declared.options, *declared.derivation)),
        *(commands.add(volume.node, first, key, declared.derivation) for key in others),
        Command(("sync", volume.node)),
        *(commands.try_(volume.node, key) for key in (first, *others)),
    )
    says = f"Make a LUKS container labelled {declared.label!r} on {declared.device}"
    step = contents.make(volume, says, wanted, making)
    header = Header(2, frozenset(key.slot for key in (first, *others)))
    return replace(step, after=step.after.with_(declared.header, header))


def check_room(volume: Volume) -> None:
    """Raise ``Refused`` for a volume that has no room for the header of a container and 1 MiB of data."""
    if volume.size <= commands.DATA_OFFSET + MIB:
        raise Refused(
            f"{volume.path} is too small for a LUKS container, whose header takes {commands.DATA_OFFSET // MIB}MiB",
            advice="give the partition more `size`",
        )


def check_name(volume: Volume, declared: Container) -> None:
    """Raise ``Refused`` if another device has the container's name."""
    if not isinstance(volume.machine[declared.inside], Missing):
        raise Refused(
            f"{declared.inside.path} is not the device that this play creates",
            advice=f"close it (`cryptsetup close {declared.name}`), or choose another `name`",
        )


def labelled(volume: Volume, declared: Container, found: Content) -> Step | None:
    """A step that sets the declared label of the container; None if it is set.

    The mark of unfinished content at the end of the label stays, unless the container is raw.
    """
    name = final(found.label)
    if name == declared.label and not (declared.raw and name != found.label):
        return None
    label = declared.label if declared.raw else declared.label + found.label.removeprefix(name)
    return Step(
        says=f"Label the container on {declared.device} {label!r}",
        commands=luks.relabel(volume, label),
        after=volume.holding(replace(found, label=label), volume.name, known=volume.known),
        locks=volume.locks,
    )
