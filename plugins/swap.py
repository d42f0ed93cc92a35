"""`swap`: an active swap area."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    AnySubject,
    Command,
    Contribution,
    FromPlay,
    Machine,
    Param,
    Step,
    Swap,
    SwapDevice,
    SwapState,
    Task,
    block_devices,
    checked,
    device,
    hookimpl,
)


@dataclass(frozen=True, kw_only=True)
class ActiveSwap(Task):
    """Activate the swap area on this device, with this priority.

    To change the priority, the task deactivates the area and activates it again: the kernel has no other way.
    The kernel does not show the discard setting, so it takes effect only on activation.

    With `encryption: random` the installed system creates the area again at every boot, with a new key;
    hibernation is not possible then. Nothing is activated now, and the partition must be `raw`. A partition
    with content other than swap is refused, since its content would be lost at the next boot.
    """

    key: ClassVar[str] = "swap"
    examples: ClassVar[tuple[str, ...]] = (
        "swap: {device: /dev/vda2}",
        "swap: {device: /dev/nvme0n1p2, priority: 5, discard: once}",
        "swap: {device: /dev/vda2, encryption: random}",
    )

    device: Annotated[str, Param("The volume", examples=("/dev/vda2", "/dev/mapper/cryptswap", "/dev/pool/swap"))]
    priority: Annotated[
        int | None,
        Param("Areas with a higher priority are used first; default: the kernel's", minimum=0, maximum=32767),
    ] = None
    discard: Annotated[
        Literal["none", "once", "pages", "both"],
        Param("Discard free space: `once` on activation, freed `pages`, or both"),
    ] = "none"
    encryption: Annotated[
        Literal["none", "random"], Param("`random`: a new key at every boot of the installed system")
    ] = "none"
    label: Annotated[str, FromPlay()] = ""
    disks: Annotated[tuple[str, ...], FromPlay()] = ()

    def __post_init__(self) -> None:
        checked("device", _check_device, self.device)

    def within(self, play: tuple[Task, ...]) -> Task:
        label, disks = block_devices.label_in(play, self.device), block_devices.disks_in(play, self.device)
        return replace(self, label=label, disks=disks)

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Swap(self.device), *block_devices.subjects_of(self.device, self.disks)})

    def next_step(self, machine: Machine) -> Step | None:
        if self.encryption == "random":
            block_devices.check_forgettable(machine, self.device)
            return None
        state = machine[Swap(self.device)]
        source = block_devices.found(machine, self.device, self.disks, "swap")
        wanted = SwapState(True, self.priority)
        after = block_devices.in_use(machine.with_(Swap(self.device), wanted), source, "active as swap")
        if not state.active:
            return Step(f"Activate {source.node} as swap{self._with}", (self._swapon(source.node),), after)
        if self.priority in (None, state.priority):
            return None
        again = (Command(("swapoff", "--", source.node)), self._swapon(source.node))
        return Step(f"Activate {source.node} as swap again{self._with}", again, after)

    def contributes(self) -> tuple[Contribution, ...]:
        discard = None if self.discard == "none" else self.discard
        return (SwapDevice(self.device, self.priority, discard, self.label, self.encryption == "random"),)

    @property
    def _with(self) -> str:
        return "" if self.priority is None else f", with priority {self.priority}"

    def _swapon(self, node: str) -> Command:
        priority = () if self.priority is None else ("--priority", str(self.priority))
        # Without a policy, swapon(8) takes both.
        policies = {"none": (), "both": ("--discard",)}
        discard = policies.get(self.discard, (f"--discard={self.discard}",))
        return Command(("swapon", *priority, *discard, "--", node))


def _check_device(path: str) -> None:
    if block_devices.tag_of(path):
        raise ValueError(f"{path} names the content; give the path of the partition, such as /dev/vda2")
    device(path)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (ActiveSwap,)
