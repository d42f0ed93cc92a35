"""Small tasks, and short ways to load playbooks that use them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from subfloor import playbook
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.parameters import Param
from subfloor.core.task import Step, Task, hookimpl
from subfloor.playbook import Entry
from subfloor.playbook.inventory import LOCALHOST, Target
from subfloor.playbook.positions import Problems
from subfloor.playbook.registry import Registry
from subfloor.playbook.variables import extra_vars


class Satisfied(Task):
    """A task that never has anything to do."""

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset()

    def next_step(self, machine: Machine) -> Step | None:
        return None


@dataclass(frozen=True, kw_only=True)
class Wipe(Satisfied):
    """The device is empty."""

    key = "wipe"

    device: Annotated[str, Param("The device's path.", min_length=1)]
    quick: Annotated[bool, Param("Whether to leave the data alone.")] = False


@dataclass(frozen=True, kw_only=True)
class Make(Satisfied):
    """The device has a filesystem."""

    key = "make"

    identity: Identity
    device: Annotated[str, Param("The device's path.")]
    type: Annotated[Literal["ext4", "xfs", "vfat"], Param("The filesystem's type.")]
    label: Annotated[str, Param("The label.", pattern="^[A-Za-z0-9.]*$", examples=("nixos",))] = ""
    size: Annotated[int | str | None, Param("The size.")] = None
    number: Annotated[int | None, Param("The number.", minimum=1, maximum=128)] = None
    options: Annotated[tuple[str, ...], Param("Options that are passed on.")] = ()
    owners: Annotated[Mapping[str, int] | None, Param("Owners by path.")] = None

    def __post_init__(self) -> None:
        if not self.device.startswith("/"):
            raise ValueError(f"device: must be an absolute path, but this is {self.device}")
        if self.label == "twice":
            raise ValueError("the label is taken")
        if self.label == "broken":
            raise RuntimeError("no way")


@dataclass(frozen=True, kw_only=True)
class Count(Satisfied):
    """It knows how many tasks the play has."""

    key = "count"

    most: Annotated[int, Param("How many there may be.")] = 99
    tasks: Annotated[int, Param("How many there are.")] = 0

    def within(self, play: tuple[Task, ...]) -> Task:
        if len(play) > self.most:
            raise ValueError(f"there are {len(play)} tasks, and {self.most} are allowed")
        return Count(most=self.most, tasks=len(play))


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody of a crew."""

    age: Annotated[int, Param("How old.", minimum=0)]
    skills: Annotated[tuple[str, ...], Param("What for.")] = ()


@dataclass(frozen=True, kw_only=True)
class Crew(Satisfied):
    """These people are aboard."""

    key = "crew"

    people: Annotated[Mapping[Annotated[str, Param("A name.", pattern="^[a-z]+$")], Person], Param("By name.")]
    captain: Annotated[Person | None, Param("Who decides.")] = None


class Samples:
    """A plugin with the tasks above."""

    @hookimpl
    def subfloor_tasks(self) -> Iterable[type[Task]]:
        return [Wipe, Make, Count, Crew]


def registry() -> Registry:
    """The sample tasks, and no others."""
    found = Registry(offered=())
    found.register(Samples(), "the samples")
    return found


def entries(path: Path, *extra: str, target: Target = LOCALHOST) -> tuple[Entry, ...]:
    """The entries of all plays of a playbook for one host."""
    given, problems = extra_vars(extra), Problems()
    plays = playbook.load(path, registry(), problems)
    found = tuple(entry for play in plays for entry in play.entries(target, given, problems))
    problems.settle()
    return found


def written(directory: Path, text: str, name: str = "play.yml") -> Path:
    """A file with this text."""
    path = directory / name
    path.write_text(text, "utf-8")
    return path


def play(*tasks: str, head: str = "") -> str:
    """A playbook of one play, from its tasks as lines of YAML and further lines for its head."""
    lines = ["- hosts: all", '  seed: "x"', *(f"  {line}" for line in head.splitlines()), "  tasks:"]
    return "\n".join(lines + [f"  - {line}" for line in tasks]) + "\n"


def parameters(entry: Entry) -> dict[str, Any]:
    """The task's parameters that are not as they are without a word."""
    task = entry.task
    assert task is not None
    return {key: value for key, value in vars(task).items() if value not in (None, (), "", False, 0)}
