"""A volume group by its name: its physical and logical volumes, and the tags that show to which play they belong.

LVM runs read-only: nothing is activated, no lock is taken, and no cache or backup is written.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from subfloor.core.errors import LookFailed
from subfloor.core.machine import AnySubject, Output, Subject
from subfloor.observe.lvm_report import Report, reports
from subfloor.observe.time_limits import BOUNDED
from subfloor.storage.lvm_kinds import LINEAR, Shape, kind_of
from subfloor.storage.sizes import rounded


@dataclass(frozen=True)
class Physical:
    """A physical volume. ``extents``: their number. ``missing``: the machine lacks the device. ``node``: the device, or
    "".
    """

    uuid: str
    extents: int
    node: str = field(default="", compare=False)
    missing: bool = False

    def __str__(self) -> str:
        return f"{self.uuid} ({self.extents} extents{', missing' if self.missing else ''})"


@dataclass(frozen=True)
class Logical:
    """A logical volume. ``uuid``: chosen by LVM; "" if the volume is not made yet.

    ``kind``: such as ``linear`` or ``raid1``. ``images``: the number of its images, each on another physical volume; 1
    if the volume is not divided. ``pool``: the name of the pool of a thin volume; "" for any other volume.
    """

    name: str
    extents: int
    tags: frozenset[str] = frozenset()
    kind: str = LINEAR
    images: int = 1
    pool: str = ""
    uuid: str = field(default="", compare=False)

    def __str__(self) -> str:
        kind = () if self.kind == LINEAR else (self.kind,)
        return f"{self.name} ({', '.join((f'{self.extents} extents', *kind, *sorted(self.tags)))})"


@dataclass(frozen=True)
class Group:
    """A volume group. ``extent``: the size of an extent in bytes; ``uuid``: chosen by LVM; "" if the group is not made
    yet.

    ``free``: the number of extents that belong to no logical volume. ``namesakes``: how many other groups of this
    machine have the same name.
    """

    WORDS: ClassVar[Mapping[str, str]] = {"physical": "physical volumes", "logical": "logical volumes"}

    name: str
    extent: int
    tags: frozenset[str] = frozenset()
    physical: tuple[Physical, ...] = ()
    logical: tuple[Logical, ...] = ()
    namesakes: int = 0
    free: int = 0
    uuid: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.name}, {rounded(self.extents * self.extent)}"

    @property
    def extents(self) -> int:
        """How many extents all its physical volumes have together."""
        return sum(each.extents for each in self.physical)

    @property
    def is_partial(self) -> bool:
        """Whether one of its physical volumes is missing."""
        return any(each.missing for each in self.physical)

    def volume(self, name: str) -> Logical | None:
        """Its logical volume with this name; None if there is none."""
        return next((each for each in self.logical if each.name == name), None)

    def dm_uuid(self, volume: Logical) -> str:
        """The UUID that LVM gives to the mapped device of a logical volume."""
        return "LVM-" + (self.uuid + volume.uuid).replace("-", "")


@dataclass(frozen=True)
class Membership:
    """The group of a physical volume. ``group``: the name of the group; "" if LVM finds none.

    ``in_use``: the label of the physical volume says that it is in a group. ``readable``: LVM can read its metadata.
    """

    group: str = ""
    in_use: bool = False
    readable: bool = True


@dataclass(frozen=True)
class PhysicalVolume(Subject[Membership]):
    """The group of the physical volume with this UUID; for a volume that is not in the group where it should be."""

    uuid: str

    def __str__(self) -> str:
        return f"physical volume {self.uuid}"

    def probes(self) -> tuple[str, ...]:
        """One probe, the same as for a group."""
        return (PROBE,)

    def parse(self, *outputs: Output) -> Membership:
        """The membership; in no group if LVM does not list the volume. Raises ``LookFailed`` if LVM fails."""
        found = (
            Membership(_name(report), bool(each["pv_in_use"]), str(each["pv_mda_count"]) != "0")
            for report in _reports(self, outputs[0])
            for each in report["pv"]
            if each["pv_uuid"] == self.uuid
        )
        return next(found, Membership())


def _name(report: Report) -> str:
    return str(report["vg"][0]["vg_name"]) if report.get("vg") else ""


def _reports(subject: AnySubject, output: Output) -> list[Report]:
    """One report for each group, and one for the physical volumes in no group; nothing if LVM is not installed.

    Raises ``LookFailed`` if LVM fails.
    """
    if output.status == 127:
        return []  # without LVM no group can be active; a step that needs LVM is refused
    if output.status:
        raise LookFailed(f"the {subject} cannot be looked at", advice=f"run it yourself to see why: {_COMMAND}")
    return reports(output.text)


@dataclass(frozen=True)
class NamedGroup(Subject[Group | None]):
    """The volume group with this name; None if there is none."""

    name: str

    def __str__(self) -> str:
        return f"volume group {self.name}"

    def probes(self) -> tuple[str, ...]:
        """One probe: LVM reads the labels of all devices."""
        return (PROBE,)

    def parse(self, *outputs: Output) -> Group | None:
        """The group; None if there is none. Raises ``LookFailed`` if LVM fails."""
        try:
            found = [_group(each) for each in _reports(self, outputs[0]) if _name(each) == self.name]
        except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise ValueError(f"lvm: {error}") from error
        return None if not found else found[0] if len(found) == 1 else _one_of(found)


def _group(report: Report) -> Group:
    (group,) = report["vg"]
    extent = int(group["vg_extent_size"])
    return Group(
        name=str(group["vg_name"]),
        extent=extent,
        tags=_tags(group["vg_tags"]),
        physical=tuple(sorted(_physical(report), key=lambda each: each.uuid)),
        logical=tuple(sorted(_logical(report, extent), key=lambda each: each.name)),
        free=int(group["vg_free_count"]),
        uuid=str(group["vg_uuid"]),
    )


def _one_of(found: list[Group]) -> Group:
    """One value for several groups with the same name. LVM itself refuses to work on any of these groups."""
    return Group(found[0].name, found[0].extent, namesakes=len(found) - 1)


def _physical(report: Report) -> Iterator[Physical]:
    for each in report["pv"]:
        missing = bool(each["pv_missing"])
        yield Physical(str(each["pv_uuid"]), int(each["pv_pe_count"]), "" if missing else str(each["pv_name"]), missing)


def _logical(report: Report, extent: int) -> Iterator[Logical]:
    images = {str(each["lv_name"]): int(each["stripes"] or 1) for each in reversed(report["seg"])}
    for each in report["lv"]:
        name, kind = str(each["lv_name"]), kind_of(str(each["lv_layout"]))
        yield Logical(
            name=name,
            extents=int(each["lv_size"]) // extent,
            tags=_tags(each["lv_tags"]),
            kind=kind,
            images=images.get(name, 1) if Shape(kind).is_divided else 1,
            pool=str(each["pool_lv"]),
            uuid=str(each["lv_uuid"]),
        )


def _tags(text: str) -> frozenset[str]:
    return frozenset(filter(None, str(text).split(",")))


# --readonly takes no lock and reads no state of device-mapper. The settings are those of layers/lvm.py.
_SETTINGS = 'devices { use_devicesfile=0 hints="none" } backup { backup=0 archive=0 }'
_COMMAND = f"lvm fullreport --readonly --config {shlex.quote(_SETTINGS)}"

PROBE = rf"""
{BOUNDED}
command -v lvm >/dev/null || exit 127
bounded 20 {_COMMAND} --reportformat json --units b --nosuffix \
    --configreport vg -o vg_name,vg_uuid,vg_tags,vg_extent_size,vg_free_count \
    --configreport pv -o pv_name,pv_uuid,pv_pe_count,pv_missing,pv_in_use,pv_mda_count \
    --configreport lv -o lv_name,lv_uuid,lv_tags,lv_size,lv_layout,pool_lv \
    --configreport pvseg -o pvseg_start \
    --configreport seg -o lv_name,stripes
printf '%s\n' "$answer"
[ "$status" = 0 ]
"""
