"""Look into filesystems that a plan would mount, while the plan is made, so that their content is compared too."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from subfloor.act.events import Listen, Looked
from subfloor.act.look import Look
from subfloor.act.session import Session
from subfloor.core.engine import Entry, claims
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.outcome import UnmountedFilesystem
from subfloor.core.task import Claim
from subfloor.observe.disk import Content, DiskState
from subfloor.observe.mount import Mount, Mounted
from subfloor.observe.path import DIRECTORY, Absent, Located, Node, NotYetVisible, is_below
from subfloor.observe.private_view import Place, PrivateView, Shown, Unmounted

SHALLOW = "--shallow was given"


class UnmountedFilesystems:
    """What one plan saw of filesystems that exist and are not mounted. ``shallow``: only note which ones these are.

    After each simulated step that makes subjects not visible, everything that the plan has mounted so far is really
    mounted for one look.
    """

    def __init__(
        self, shell: Session, entries: Sequence[Entry], found: Machine, listen: Listen, *, shallow: bool
    ) -> None:
        self._shell, self._entries, self._listen, self._shallow = shell, entries, listen, shallow
        self._known = found
        self._found = found
        self._seen: dict[str, UnmountedFilesystem] = {}

    @property
    def seen(self) -> tuple[UnmountedFilesystem, ...]:
        """The filesystems that the plan would mount with something on them, in the order of the play.

        A bind from a filesystem that was not seen is left out, since that filesystem is listed.
        """
        unseen = [each.path for each in self._seen.values() if each.unseen]
        bound = {each for each in self._seen.values() if not each.source.startswith("/dev/")}
        return tuple(each for each in self._seen.values() if each not in bound or not _upper(unseen, each.source))

    def __call__(self, before: Machine, after: Machine) -> Machine:
        """The values of the subjects that the step from ``before`` to ``after`` hides, as far as they can be seen."""
        changed = sorted(after.changed_since(before), key=str)
        hidden = {each: after[each] for each in changed if _is_hidden(after[each])}
        if not hidden:
            return Machine()
        if self._shallow:
            for state in hidden.values():
                self._seen.setdefault(state.until, UnmountedFilesystem(state.source, state.until, SHALLOW))
            return Machine()
        return self._looked(after, hidden)

    def _looked(self, after: Machine, hidden: dict[AnySubject, NotYetVisible]) -> Machine:
        view = PrivateView(tuple(self._places(after)))
        look, shown_at = Look((), hidden), [place.path for place in view.places]
        (result,) = self._shell.perform([look.within(view)])
        self._listen(Looked(look.subjects, result.seconds))
        machine, shown = look.machine_within(result.stdout, view)
        on = {each: _upper(shown_at, each.path) for each in after if isinstance(each, Located)}
        unseen = {place.path: self._unseen(place, shown, after, on) for place in view.places}
        nodes = {place.path: place.filesystem.node for place in view.places if place.filesystem}
        for state in hidden.values():
            note = shown.notes.get(nodes.get(state.until, ""), "")
            self._seen.setdefault(
                state.until, UnmountedFilesystem(state.source, state.until, unseen.get(state.until, ""), note)
            )
        seen = Machine({each: machine[each] for each in machine if _is_shown(each, unseen)})
        self._known = self._known.updated(seen)
        return seen

    def _places(self, after: Machine) -> Iterator[Place]:
        """The places where the plan has mounted something so far; a place comes before the places below it."""
        own = {claim.node: claim.uuid for claim in self._claims(after)}
        for subject in sorted((each for each in after if isinstance(each, Mount)), key=lambda each: each.path):
            top, was = after[subject].top, self._found[subject].top if subject in self._found else None
            if top and not (was and was.is_(top)):
                yield _place(subject.path, top, own, after)

    def _claims(self, machine: Machine) -> Iterator[Claim]:
        every = (claim for entry in self._entries if entry.task for claim in claims(entry.task, machine))
        return (claim for claim in every if claim.kind == "UUID")

    def _unseen(self, place: Place, shown: Shown, after: Machine, on: Mapping[Located[Any], str]) -> str:
        """Why a place does not count as seen; empty if it does. ``on``: the path of the place that a subject is on."""
        if place.path in shown.missing:
            return shown.missing[place.path]
        if place.filesystem is None:
            here = (each for each, path in on.items() if path == place.path)
            return "" if all(_is_bare(after, each) for each in here) else "this plan writes its content"
        return "this plan changes its content" if self._is_changed(place, after) else ""

    def _is_changed(self, place: Place, after: Machine) -> bool:
        """Whether the plan changes anything that the place shows. The look would show the state before the change."""
        located = (each for each in after if isinstance(each, Located) and not _is_hidden(after[each]))
        changed = (each.path for each in located if after[each] != self._known.get(each, after[each]))
        return any(_is_behind(after, path, place) for path in changed)


def _is_hidden(value: object) -> bool:
    return isinstance(value, NotYetVisible)


def _place(path: str, top: Mounted, own: Mapping[str, str], machine: Machine) -> Place:
    if (top.type, top.root) == ("tmpfs", "/") or _is_fresh(machine, top.source):
        return Place(path)
    return Place(path, Unmounted(top.source, top.type, own.get(top.source, "")), top.root)


def _is_fresh(machine: Machine, node: str) -> bool:
    """Whether the plan makes the filesystem on a device, so that there is nothing to look into yet."""
    disks = (value for value in machine.values() if isinstance(value, DiskState))
    contents = (each for disk in disks for each in _contents(disk, node))
    return any(isinstance(content, Content) and content.fresh for content in contents)


def _contents(disk: DiskState, node: str) -> Iterator[object]:
    if disk.node == node:
        yield disk.content
    yield from (each.content for each in disk.volumes if disk.partition_node(each.number) == node)


def _is_shown(subject: AnySubject, unseen: Mapping[str, str]) -> bool:
    """Whether every place that the subject's value depends on counts as seen."""
    places = subject.places if isinstance(subject, Located) else ()
    return not any(unseen.get(_upper(unseen, path), "") for path in places)


def _upper(paths: Iterable[str], path: str) -> str:
    """The nearest of these paths at or above a path; empty if there is none."""
    above = [each for each in paths if each == path or is_below(path, each)]
    return max(above, key=len, default="")


def _is_bare(machine: Machine, subject: Located[Any]) -> bool:
    """Whether a subject on a new filesystem has no content: a directory, absent, not visible, or its empty value."""
    value = machine[subject]
    is_directory = isinstance(value, Node) and value.kind == DIRECTORY
    return is_directory or isinstance(value, Absent | NotYetVisible) or bool(value == subject.in_empty())


def _is_behind(machine: Machine, path: str, place: Place) -> bool:
    """Whether the file at a path is also shown below a place, because both are on one filesystem."""
    tops = {each.path: machine[each].top for each in machine if isinstance(each, Mount) and machine[each].top}
    at = _upper(tops, path)
    top = tops.get(at)
    if at == place.path or top is None or place.filesystem is None or top.source != place.filesystem.node:
        return False
    return is_below(posixpath.normpath(posixpath.join(top.root, posixpath.relpath(path, at))), place.root)
