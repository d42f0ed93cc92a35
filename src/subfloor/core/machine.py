"""Machines and subjects: a machine is the state that was seen of each subject.

A subject is one thing that tasks look at. It has its own probes (pieces of sh) and its own parser (pure).
So a new kind of state needs only a new ``Subject`` class, which may be in a plugin. Machines are immutable;
to simulate a step means to make another machine.
"""

from __future__ import annotations

import builtins
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from math import isqrt
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar, cast

V = TypeVar("V")

PATIENCE = 30.0
"""Seconds that a probe may take, unless its subject sets another limit."""


@dataclass(frozen=True)
class Output:
    """What one probe printed, and its exit status."""

    stdout: bytes
    status: int = 0

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 survive as surrogates."""
        return self.stdout.decode("utf-8", "surrogateescape")


class Subject(ABC, Generic[V]):
    """One thing that tasks look at; its state is a value of type ``V``.

    Subclasses are frozen dataclasses, so that two tasks that name the same thing share one look.
    """

    patience: ClassVar[float] = PATIENCE
    """Seconds that each of the probes may print nothing. A probe that is silent for longer is ended: the look fails."""

    follows: ClassVar[bool] = False
    """Whether the subject's value is derived from other subjects. Then reports leave out its differences."""

    @abstractmethod
    def probes(self) -> tuple[str, ...]:
        """Pieces of POSIX sh that print the state and change nothing.

        Each runs in its own subshell and leaves no process behind. Equal pieces of several subjects run once
        per look.
        """

    @abstractmethod
    def parse(self, *outputs: Output) -> V:
        """The value, from the outputs of ``probes()`` in their order. Pure.

        Raises ``LookFailed`` if the outputs show that the subject could not be read.
        """

    @abstractmethod
    def __str__(self) -> str:
        """The subject's name for people, such as ``disk /dev/vda``."""


AnySubject = Subject[Any]


class LookNeeded(Exception):
    """A task must see one more subject before it can decide: the engine looks at that subject and asks again."""

    def __init__(self, subject: AnySubject) -> None:
        super().__init__(f"{subject} has not been read yet")
        self.subject = subject


_FEW = 64
"""How many changes a machine may hold apart from its base. A large base allows more: the square root of its size."""


class Machine(Mapping[AnySubject, Any]):
    """The state of each subject, seen or simulated: an immutable value.

    A machine that was made from another one shares the base of that one, and holds only its own changes. So a plan
    stays small, although each of its steps promises a machine, and two machines of one plan are compared by their
    changes. If there are too many changes, base and changes are merged into a new base.
    """

    def __init__(self, seen: Mapping[AnySubject, Any] | None = None) -> None:
        self._base: dict[AnySubject, Any] = dict(seen or {})
        self._own: dict[AnySubject, Any] = {}

    @classmethod
    def _on(cls, base: dict[AnySubject, Any], own: dict[AnySubject, Any]) -> Machine:
        """A machine of a base and changes to it. Nothing may change the base from now on."""
        if len(own) > max(_FEW, isqrt(len(base))):
            base, own = {**base, **own}, {}
        machine = cls.__new__(cls)
        machine._base, machine._own = base, own
        return machine

    def __getitem__(self, subject: Subject[V]) -> V:
        return cast(V, self._own[subject] if subject in self._own else self._base[subject])

    def __contains__(self, subject: object) -> bool:
        return subject in self._own or subject in self._base

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Machine) and other._base is self._base:
            return not self.changed_since(other) and not other.changed_since(self)
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as of every mapping

    def further(self, subject: Subject[V]) -> V:
        """The state of an extra subject: one that a task can name only after it has seen other subjects.

        Raises ``LookNeeded`` if the extra subject was not seen yet.
        """
        if subject not in self:
            raise LookNeeded(subject)
        return self[subject]

    def __iter__(self) -> Iterator[AnySubject]:
        yield from self._base
        yield from (subject for subject in self._own if subject not in self._base)

    def __len__(self) -> int:
        return len(self._base) + sum(subject not in self._base for subject in self._own)

    def __repr__(self) -> str:
        return f"Machine({dict(self)!r})"

    def updated(self, changes: Mapping[AnySubject, Any]) -> Machine:
        """This machine with other values for some subjects."""
        return self._on(self._base, {**self._own, **changes})

    def with_(self, subject: Subject[V], value: V) -> Machine:
        """This machine with another value for one subject."""
        return self.updated({subject: value})

    def only(self, subjects: Iterable[AnySubject]) -> Machine:
        """The part of this machine that concerns ``subjects``."""
        if isinstance(subjects, Machine) and subjects._base is self._base:
            return self._on(self._base, {subject: self._own[subject] for subject in self._own if subject in subjects})
        return Machine({subject: self[subject] for subject in subjects if subject in self})

    def changed_since(self, other: Machine) -> frozenset[AnySubject]:
        """The subjects of this machine whose state on ``other`` is different or missing."""
        return frozenset(
            subject
            for subject in self._that_may_differ(other)
            if subject in self and (subject not in other or not _is_same(other[subject], self[subject]))
        )

    def _that_may_differ(self, other: Machine) -> Iterable[AnySubject]:
        if other._base is not self._base:
            return self
        own = (each for each, value in self._own.items() if each not in other._own or other._own[each] is not value)
        return itertools.chain(own, other._own.keys() - self._own.keys())


def at_least(default: frozenset[str] | int = frozenset()) -> Any:
    """A dataclass field for which a promise is a lower bound: a frozenset that may gain members, a bool that may
    become true, or a number that may be larger.

    A kernel adds its own mount options to the requested ones: ``{noatime, rw}`` keeps a promise of ``{noatime}``.
    And another program may immediately use what a step has just made.
    """
    return field(default=default, metadata={"at_least": True})


ESTIMATED: Mapping[str, bool] = MappingProxyType({"estimated": True})
"""The metadata of a dataclass field that a promise only estimates: any seen value keeps the promise."""


@dataclass(frozen=True)
class Unknown:
    """A value that is not known before it is seen; any seen value of the type ``of`` keeps this promise."""

    of: ClassVar[type] = object

    def __str__(self) -> str:
        return "not known yet"


@dataclass(frozen=True)
class Difference:
    """One property of one subject that differs between two machines.

    ``follows``: it is a consequence of other differences, so reports show it only if there are no others.
    """

    subject: str
    property: str
    before: Any
    after: Any
    follows: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self._where}: {shown(self.before)} → {shown(self.after)}"

    @builtins.property
    def unmet(self) -> str:
        """A difference between what was expected and what was found, as text for people."""
        return f"{self._where}: expected {shown(self.before)}, found {shown(self.after)}"

    @builtins.property
    def _where(self) -> str:
        return f"{self.subject}: {self.property}" if self.property else self.subject


def shown(value: Any) -> str:
    """A property's value as text for people."""
    if value is None:
        return "none"
    if isinstance(value, frozenset | set):
        return ", ".join(sorted(map(str, value))) or "none"
    if isinstance(value, tuple):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def differences(before: Machine, after: Machine) -> tuple[Difference, ...]:
    """Every property in which ``after`` differs from ``before``, for the subjects of ``after``."""
    return tuple(
        Difference(str(subject), *change)
        for subject in sorted(after.changed_since(before), key=str)
        if not subject.follows
        for change in _changes("", before.get(subject), after[subject], promise=False)
    )


def _is_same(before: object, after: object) -> bool:
    return before is after or before == after


def broken_promises(promised: Machine, seen: Machine) -> tuple[Difference, ...]:
    """The properties in which ``seen`` breaks a promise of ``promised``, for the subjects of ``promised``."""
    return tuple(
        Difference(str(subject), *change)
        for subject in sorted(promised, key=str)
        for change in _changes("", promised[subject], seen.get(subject), promise=True)
    )


_Change = tuple[str, Any, Any, bool]


def _changes(name: str, before: Any, after: Any, *, promise: bool, follows: bool = False) -> Iterator[_Change]:
    if before == after or (promise and isinstance(before, Unknown) and isinstance(after, before.of)):
        return
    if is_dataclass(before) and type(before) is type(after):
        for item in fields(before):
            if item.compare:
                yield from _field_changes(name, item, before, after, promise=promise)
    elif isinstance(before, tuple) and isinstance(after, tuple) and _keyed(before + after):
        yield from _keyed_changes(name, before, after, promise=promise)
    else:
        yield name, before, after, follows


def _field_changes(name: str, item: Field[Any], before: Any, after: Any, *, promise: bool) -> Iterator[_Change]:
    old, new = getattr(before, item.name), getattr(after, item.name)
    if promise and (item.metadata.get("estimated") or (item.metadata.get("at_least") and old <= new)):
        return
    words = words_of(type(before), item.name)
    yield from _changes(_joined(name, words), old, new, promise=promise, follows=_follows(type(before), item, new))


def _follows(class_: type[Any], item: Field[Any], after: Any) -> bool:
    """Whether a field changes with others: those that the class names in ``FOLLOWS``, and a lower bound of nothing."""
    return item.name in getattr(class_, "FOLLOWS", ()) or bool(item.metadata.get("at_least") and not after)


def words_of(class_: type[Any], name: str) -> str:
    """The name of a field for people: from the class's ``WORDS``, else the field's own; "" if reports omit it."""
    words: Mapping[str, str] = getattr(class_, "WORDS", {})
    return words.get(name, name.replace("_", " "))


def _joined(*names: str) -> str:
    return ", ".join(filter(None, names))


def _keyed(values: tuple[Any, ...]) -> bool:
    """Whether a number identifies each of these values, as it does for partitions."""
    return bool(values) and all(is_dataclass(value) and hasattr(value, "number") for value in values)


def _keyed_changes(name: str, before: Any, after: Any, *, promise: bool) -> Iterator[_Change]:
    old = {item.number: item for item in before}
    new = {item.number: item for item in after}
    for number in sorted(old.keys() | new.keys()):
        yield from _changes(f"{name} {number}", old.get(number), new.get(number), promise=promise)
