"""disko's type ``luks``: the container, its keys, and how it is made and opened."""

from __future__ import annotations

import getopt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from subfloor.playbook.disko.filesystems import words
from subfloor.playbook.disko.items import Expression, Item, Missing, Passphrase, Volume, Wanted, rest
from subfloor.playbook.disko.tree import Node

_KNOWN = ("content", "passwordFile", "keyFile", "askPassword", "settings", "additionalKeyFiles", "initrdUnlock")
_ARGUMENTS = ("extraFormatArgs", "extraOpenArgs")
_SETTINGS = ("keyFile", "allowDiscards", "fallbackToPassword", "preLVM", "device")

_TEXTS = {"--cipher": "cipher", "-c": "cipher", "--label": "label", "--pbkdf": "pbkdf"}
_NUMBERS = {"--key-size": "key_size", "-s": "key_size", "--sector-size": "sector_size"}
_NUMBERS |= {"--pbkdf-memory": "pbkdf_memory", "--pbkdf-force-iterations": "pbkdf_iterations"}
_IMPLIED = {"--type": "luks2", "-M": "luks2", "--batch-mode": "", "-q": "", "--verify-passphrase": "", "-y": ""}
_SHORT = "c:s:h:i:M:qyv"
_LONG = (
    *("cipher=", "key-size=", "hash=", "iter-time=", "type=", "label=", "subsystem=", "pbkdf=", "pbkdf-memory="),
    *("pbkdf-parallel=", "pbkdf-force-iterations=", "sector-size=", "header=", "uuid=", "offset=", "key-slot="),
    *("align-payload=", "luks2-metadata-size=", "luks2-keyslots-size=", "integrity=", "timeout="),
    *("keyslot-cipher=", "keyslot-key-size=", "token-type="),
    *("use-random", "use-urandom", "batch-mode", "verify-passphrase", "verbose", "hw-opal", "hw-opal-only"),
    *("allow-discards", "perf-no_read_workqueue", "perf-no_write_workqueue", "persistent", "disable-keyring"),
)


def of_luks(node: Node, on: Volume) -> Iterator[Item]:
    """The items for a LUKS container, without its content."""
    yield from rest(node, (*_KNOWN, *_ARGUMENTS), on.names)
    node.need("name")
    keys, items = _keys(node)
    yield from items
    formatting, refused = _formatting(node)
    opening, unopened = _opening(node)
    yield from (*refused, *unopened, *_settings(node))
    yield Wanted(
        "luks",
        {"device": on.path, "name": node.text("name"), **keys, **formatting, **opening, **on.named},
        node,
        makes=f"/dev/mapper/{node.text('name')}",
        needs=on.needs,
        options={"name": "name", "key_file": "settings", **dict.fromkeys(formatting, "extraFormatArgs")},
        essential=frozenset({"passphrase", "key_file"}),
    )


def _keys(node: Node) -> tuple[Mapping[str, Any], list[Item]]:
    """The parameter for the key by which disko makes the container, and the items that this key needs.

    The key is a key file, or a passphrase that is typed or in a file. Other keys become ``Missing``.
    """
    settings = node.at("settings")
    file = settings.text("keyFile") if settings.value else ""
    items: list[Item] = []
    additional = node.get("additionalKeyFiles")
    for each in additional.items if additional else ():
        why = f"the task `luks` has one key file, and this is a further one: {each.value}"
        items.append(Missing.at(each, why, "add it with `cryptsetup luksAddKey`; subfloor leaves it alone"))
    if file:
        for name in ("keyFileSize", "keyFileOffset"):
            if settings.get(name):
                why = "the task `luks` reads a key file as a whole, so the key is another one"
                items.append(Missing.at(settings.at(name), why, "put the key alone into a file"))
        return {"key_file": file}, items
    variable = re.sub(r"\W+", "_", node.text("name"), flags=re.A).strip("_").lower() or "disk"
    variable = f"{'_' if variable[0].isdigit() else ''}{variable}_passphrase"
    items.append(Passphrase(variable, node.text("passwordFile") or node.text("keyFile")))
    return {"passphrase": Expression(f"{{{{ {variable} | default(none) }}}}")}, items


def _settings(node: Node) -> Iterator[Missing]:
    found = node.get("settings")
    for name, each in found.options.items() if found else ():
        if name in ("keyFileSize", "keyFileOffset") and found and found.get("keyFile"):
            continue
        if name not in _SETTINGS and each.value:
            advice = "set boot.initrd.luks.devices in local.nix"
            yield Missing.at(each, "no task sets this option of the installed system", advice)
    if not node.flag("initrdUnlock", default=True):
        why = "what the initrd opens follows from what it mounts"
        yield Missing.at(node.at("initrdUnlock"), why, "leave it out")


def _opening(node: Node) -> tuple[Mapping[str, Any], list[Missing]]:
    settings = node.at("settings")
    discards = bool(settings.value and settings.flag("allowDiscards"))
    pairs, missing = _read(node, "extraOpenArgs")
    for option, value in pairs:
        if option == "--allow-discards":
            discards = True
        elif _IMPLIED.get(option) != value:
            why = f"the task `luks` has no {option}"
            missing.append(Missing.at(node.at("extraOpenArgs"), why, "leave it out, or open it by hand"))
    return ({"allow_discards": True} if discards else {}), missing


def _formatting(node: Node) -> tuple[Mapping[str, Any], list[Missing]]:
    pairs, missing = _read(node, "extraFormatArgs")
    given: dict[str, Any] = {}
    for option, value in pairs:
        if option in _TEXTS:
            given[_TEXTS[option]] = value
        elif option in _NUMBERS and value.isdigit():
            given[_NUMBERS[option]] = int(value)
        elif _IMPLIED.get(option) != value:
            why = f"the task `luks` has no {option}{f' {value}' if value else ''}"
            missing.append(Missing.at(node.at("extraFormatArgs"), why, "leave it out; cryptsetup chooses then"))
    return given, missing


def _read(node: Node, name: str) -> tuple[list[tuple[str, str]], list[Missing]]:
    """The options of cryptsetup in the option ``name``, with their values; and a ``Missing`` for each other word."""
    try:
        pairs, others = getopt.gnu_getopt(list(words(node.texts(name))), _SHORT, list(_LONG))
    except getopt.GetoptError as error:
        return [], [Missing.at(node.at(name), f"{error.msg}, so none of these options is imported", "leave it out")]
    return pairs, [Missing.at(node.at(name), f"{word!r} is not an option", "leave it out") for word in others]
