"""``disko.devices.disk``: a disk with a partition table, or with content of its own."""

from __future__ import annotations

from collections.abc import Iterator

from subfloor.playbook.disko.contents import content, lost
from subfloor.playbook.disko.items import Context, Item, Missing, Remark, Volume, Wanted, rest
from subfloor.playbook.disko.partitions import Tabled
from subfloor.playbook.disko.tables import table_on
from subfloor.playbook.disko.tree import Node
from subfloor.storage.devices import whole_disk

_IMAGE = ("imageName", "imageSize", "imageContent", "imageFormat")
"""Options that only matter for images of disks."""

_LINKS = ("/dev/disk/by-id/", "/dev/disk/by-path/")


def of_disk(disk: Node, name: str, context: Context) -> Iterator[Item]:
    """The items for a disk."""
    yield from rest(disk, ("device", "content", "destroy", *_IMAGE))
    named, device = disk.text("name", name.replace("/", "_")), disk.need("device")
    try:
        path = whole_disk(disk.text("device"))
    except ValueError as error:
        yield Missing.at(device, f"{error}{lost(disk)}", "name the whole disk, such as /dev/disk/by-id/…")
        return
    yield Remark(f"{disk.place}: {path}")
    if not path.startswith(_LINKS):
        yield Remark("A name below /dev/disk/by-id leads to the same disk when the kernel's names change.")
    inside = disk.get("content")
    if inside is None:
        yield Remark("Nothing is declared on it, so it stays as it is.")
    elif inside.text("type") in ("gpt", "table"):
        yield from table_on(inside, Tabled(path, named, named if context.several else ""), context)
    else:
        yield from _whole(inside, path, named, context)


def _whole(inside: Node, path: str, name: str, context: Context) -> Iterator[Item]:
    """The items for a disk whose content needs no partition table. The last MiB of the disk stays free."""
    called = name if context.several else None
    if inside.text("type") == "lvm_pv":
        yield Wanted("wipefs", {"device": path, **({"disk": called} if called else {})}, inside, makes=path)
    yield from content(inside, Volume(path, name, frozenset({path}), called, is_disk=True), context)
