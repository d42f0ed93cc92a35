"""The volume group of a physical volume: its logical volumes and its other devices, active or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subfloor.core.machine import Output
from subfloor.observe.layers.layer import Layer, Part, Place, not_named, not_understood
from subfloor.observe.layers.member import Member
from subfloor.observe.lvm_report import Report, reports
from subfloor.observe.time_limits import BOUNDED
from subfloor.storage.sizes import rounded

_WHAT = "the volume group"
_UNLISTED = "the volume group is unknown: LVM does not list the device; `pvs --all --verbose` shows why"


@dataclass(frozen=True)
class VolumeGroup(Member):
    """The volume group that a physical volume belongs to."""

    def probes(self) -> tuple[str, ...]:
        """One probe: LVM reads the labels of all devices, and takes no lock."""
        return (_PROBE,)

    def parse(self, *outputs: Output) -> Layer:
        """The volume group. Unreadable data raises no error: ``unseen`` says what is unknown."""
        (output,) = outputs
        if output.status == 127:
            return not_named(_WHAT, "lvm")
        try:
            mine = next((each for each in reports(output.text) if self.node in map(_name, each["pv"])), None)
            return Layer(unseen=_UNLISTED) if mine is None else _layer(mine, self.node)
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            return not_understood(_WHAT, f"pvs --all {self.node}")


def _name(volume: Mapping[str, Any]) -> str:
    return str(volume["pv_name"])


def _layer(report: Report, node: str) -> Layer:
    if "vg" not in report:
        return Layer(name="in no volume group")
    (group,) = report["vg"]
    others = [each for each in report["pv"] if _name(each) != node]
    return Layer(
        name=f"volume group {group['vg_name']!r}",
        parts=tuple(_parts(report, int(group["vg_extent_size"]))),
        others=tuple(f"{_name(each)} ({rounded(int(each['dev_size']))})" for each in others if not each["pv_missing"]),
        absent=sum(1 for each in others if each["pv_missing"]),
    )


def _parts(report: Report, extent: int) -> Iterator[Part]:
    starts = {_name(each): int(each["pe_start"]) for each in report["pv"]}
    places = {name: place for name, place in (_place(each, starts, extent) for each in report["seg"]) if place}
    for volume in report["lv"]:
        name, layout = str(volume["lv_name"]), str(volume["lv_layout"])
        about = () if layout == "linear" else (layout.replace(",", " "),)
        yield Part(f"{name!r}", int(volume["lv_size"]), about, places.get(name))


_RANGE = re.compile(r"(?P<node>/\S+):(?P<first>\d+)-(?P<last>\d+)")


def _place(segment: Mapping[str, Any], starts: Mapping[str, int], extent: int) -> tuple[str, Place | None]:
    """A volume's name, and the place of its first bytes; None if this segment does not show the place."""
    found = _RANGE.fullmatch(str(segment["seg_pe_ranges"]))
    first = segment["segtype"] == "linear" and segment["seg_start_pe"] == "0"
    if not found or not first or found["node"] not in starts:
        return str(segment["lv_name"]), None
    start = starts[found["node"]]
    place = (found["node"], start + int(found["first"]) * extent, start + (int(found["last"]) + 1) * extent)
    return str(segment["lv_name"]), place


# --readonly takes no lock and reads no state of device-mapper. Without the settings, LVM would write its hints and a
# backup of the group's metadata, and list only the devices in its devices file (lvmdevices(8)), which names no disk of
# another system. A version of LVM that does not know a setting ignores it.
_PROBE = rf"""
{BOUNDED}
command -v lvm >/dev/null || exit 127
bounded 20 lvm fullreport --readonly --reportformat json --units b --nosuffix \
    --config 'devices {{ use_devicesfile=0 hints="none" }} backup {{ backup=0 archive=0 }}' \
    --configreport vg -o vg_name,vg_extent_size \
    --configreport pv -o pv_name,dev_size,pe_start,pv_missing \
    --configreport lv -o lv_name,lv_size,lv_layout \
    --configreport pvseg -o pvseg_start \
    --configreport seg -o lv_name,segtype,seg_start_pe,seg_pe_ranges
printf '%s\n' "$answer"
"""
