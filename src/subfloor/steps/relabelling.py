"""Steps that change the label of a finished filesystem; a mark on its volume shows the change in progress. Pure."""

from __future__ import annotations

from subfloor.core.errors import Refused
from subfloor.core.task import Command, Step
from subfloor.observe.disk import Content
from subfloor.steps.partitioning import guard
from subfloor.steps.volumes import Volume
from subfloor.storage.filesystems import TOOLS, Call, Tools
from subfloor.storage.marks import LABELLING

_UNSOUND = (
    "if it was only not unmounted cleanly, mount {0} once and unmount it; otherwise copy important data, then repair "
    "it with its own fsck"
)


def relabel(volume: Volume, kind: str, wanted: Content) -> Step:
    """A step that sets the label of ``wanted``. If a label change was interrupted, the step first repairs its damage.

    Raises ``Refused`` if the filesystem is in use and its label cannot be changed meanwhile.
    """
    volume.check_writable()
    tools, broke_off = TOOLS[kind], not volume.is_final
    if volume.in_use and not tools.relabels_in_use:
        raise Refused(
            f"{volume.path} is {', '.join(volume.users)}, and the label of {kind} cannot be changed while it is in use"
            + _differs(volume, wanted),
            advice="unmount or `swapoff` it, then run subfloor again",
        )
    return Step(
        says=f"Label {volume.path} {wanted.label!r}" + (", after an interrupted change" if broke_off else ""),
        commands=(
            *(_marked(volume, tools) if not volume.in_use else ()),
            Command(tools.relabel(volume.node, wanted.label)),
            Command(("sync", volume.node)),
            *(() if volume.in_use else (_check(volume, tools),)),
            *(volume.mark(volume.final_name) if broke_off or not volume.in_use else ()),
        ),
        after=volume.holding(wanted, volume.final_name, known=volume.known or not volume.in_use),
        locks=volume.locks,
    )


def _differs(volume: Volume, wanted: Content) -> str:
    """How the label differs, in words; "" if it does not, or is not known."""
    found = volume.content
    known = isinstance(found, Content) and found.label != wanted.label
    return f"; it is {found.label!r}, but {wanted.label!r} is declared" if known and isinstance(found, Content) else ""


def _marked(volume: Volume, tools: Tools) -> tuple[Command, ...]:
    """Commands before the label is written: mark the volume, or repair an interrupted change."""
    broke_off = not volume.is_final
    sound = () if broke_off or tools.settle else (_check(volume, tools),)
    marked = () if broke_off else volume.mark(volume.final_name + LABELLING)
    mend = (tools.mend,) if tools.mend and broke_off else ()
    settle = (tools.settle,) if tools.settle else ()
    writing = (_command(call(volume.node), volume.node) for call in (*mend, *settle))
    return (*volume.reveal(), guard(volume.node), *sound, *marked, *writing)


def _check(volume: Volume, tools: Tools) -> Command:
    """A command that fails if the filesystem is not consistent, and writes nothing."""
    return Command(tools.check(volume.node), timeout=3600.0, advice=_UNSOUND.format(volume.node))


def _command(call: Call, node: str) -> Command:
    return Command(call.argv, timeout=3600.0, accepts=call.accepts, advice=_UNSOUND.format(node))
