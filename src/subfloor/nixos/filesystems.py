"""The text of ``filesystems.nix``: the mounts and swap areas of a play, as a NixOS module."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from subfloor.core.contributions import FileSystem, Persisted
from subfloor.core.parameters import Param
from subfloor.nixos import arrays, encryption, lvm, nix, persistence, rollback, stages, swaps
from subfloor.nixos.initrd import Initrd
from subfloor.nixos.layout import ALWAYS_EARLY, Layout, lies_in, source

_SYSTEMD = Initrd()

Persistence = Literal["binds", "impermanence"]
"""What mounts persistent paths: `filesystems.nix` itself, or the module impermanence."""

PersistenceParameter = Annotated[
    Persistence, Param("What mounts persistent paths: `filesystems.nix`, or the module impermanence")
]


def module(
    layout: Layout,
    how: Persistence,
    homes: Mapping[str, str],
    not_kept: Mapping[str, str],
    read_early: Collection[str] = (),
    initrd: Initrd = _SYSTEMD,
) -> str:
    """The text of the module.

    ``homes``: the home directories of the declared users. ``not_kept``: paths that need not survive a reboot, with
    the reason; they become comments. ``read_early``: files that are read before stage 2 mounts anything.

    Raises ``ValueError`` for text that no Nix string can hold, and for a layout that the system could not use.
    """
    needed = stages.early(layout, initrd, read_early)
    early = needed.mounts
    settings: dict[str, nix.Value] = {
        "fileSystems": {each.path: _filesystem(each, layout, early) for each in layout.filesystems}
    }
    by_module = _by_module(layout, early) if how == "impermanence" else ()
    binds = [each for each in layout.persisted if not each.linked and each not in by_module]
    settings["fileSystems"] = {
        **_set(settings, "fileSystems"),
        **{each.path: _bind(each, layout, early) for each in binds},
    }
    environment: dict[str, nix.Value] = {}
    if linked := {each.path.removeprefix("/etc/"): _link(each) for each in layout.persisted if each.linked}:
        environment["etc"] = linked
    if by_module:
        environment["persistence"] = persistence.stores(by_module, homes)
    if environment:
        settings["environment"] = environment
    rolling = rollback.settings(layout)
    opened = encryption.settings(layout, initrd, needed.containers)
    active = lvm.settings(layout, early=needed.groups, systemd=initrd.systemd)
    below = nix.merged(opened, active, arrays.settings(layout))
    settings = nix.merged(settings, _above(binds, homes), swaps.settings(layout, initrd), below)
    settings = nix.merged(settings, {"boot": {"initrd": {"systemd": rolling}}} if rolling else {})
    notes = (
        f"{path} is declared as not persisted, so it does not survive a reboot: {why}" for path, why in not_kept.items()
    )
    taken = "pkgs, " if rolling else ""
    return f"{''.join(map(nix.comment, notes))}{{ {taken}... }}:\n{nix.render(settings)}\n"


_PRIVATE = "/var/lib/private"


def _above(binds: Collection[Persisted], homes: Mapping[str, str]) -> dict[str, nix.Value]:
    """Settings that create the directories above binds with the right owner and mode.

    Otherwise a mount would create them for root, and readable by all. systemd refuses a `/var/lib/private` that others
    may enter. In a home directory they must belong to the user. NixOS creates the home directory itself, in the
    activation script `users`. tmpfiles cannot create the directories in it: it refuses a directory of root below a
    directory of a user ("unsafe path transition"). So an activation script creates them. It does so only before the
    system is up: later the user could redirect it by a symbolic link.
    """
    system: dict[str, nix.Value] = {}
    lines = dict.fromkeys(line for each in binds for line in _in_home(each.path, homes))
    if lines:
        script = "".join(("if [ ! -e /run/current-system ]; then\n", *(f"  {line}\n" for line in lines), "fi\n"))
        activation: dict[str, nix.Value] = {"deps": ["users", "groups"], "text": script}
        system["system"] = {"activationScripts": {"aboveWhatIsKept": activation}}
    if any(each.path != _PRIVATE and lies_in(each.path, _PRIVATE) for each in binds):
        system["systemd"] = {"tmpfiles": {"rules": [f"d {_PRIVATE} 0700 root root -"]}}
    return system


def _in_home(path: str, homes: Mapping[str, str]) -> list[str]:
    """Commands that create the directories between a home directory and a persisted path in it, outermost first."""
    inside = {name: home for name, home in homes.items() if path != home and lies_in(path, home)}
    name = max(inside, key=lambda each: len(inside[each]), default="root")
    if name == "root":
        return []
    found, above = list[str](), posixpath.dirname(path)
    while above != inside[name]:
        found.insert(0, f"install -d -o {name} -g users -m 0755 -- {shlex.quote(above)}")
        above = posixpath.dirname(above)
    return found


def _filesystem(each: FileSystem, layout: Layout, early: frozenset[str]) -> dict[str, nix.Value]:
    found: dict[str, nix.Value] = {"device": each.device, "fsType": each.type}
    if each.options:
        found["options"] = list(each.options)
    # Set even where it is NixOS's default: impermanence asserts it for each filesystem that is mounted at a store.
    said = each.needed_for_boot or each.path in layout.stores
    return found | _early(each.path, early, said)


def _early(path: str, early: frozenset[str], said: bool) -> dict[str, nix.Value]:
    return {"neededForBoot": True} if said or (path in early and path not in ALWAYS_EARLY) else {}


def _by_module(layout: Layout, early: frozenset[str]) -> tuple[Persisted, ...]:
    """The paths that impermanence binds. It binds them in stage 2 (`systemd.mounts`), and has no option to change that.

    In stage 1 it binds only paths that NixOS itself mounts early, and only in a systemd initrd (see its nixos.nix). So
    ``filesystems.nix`` binds all paths that stage 1 must mount, and those that are read before stage 2 mounts anything.
    """
    return tuple(each for each in layout.persisted if not each.linked and each.path not in early)


def _bind(each: Persisted, layout: Layout, early: frozenset[str]) -> dict[str, nix.Value]:
    found: dict[str, nix.Value] = {"device": source(each), "fsType": "none", "options": ["bind"]}
    holder = layout.holder(each.store)
    if holder and holder.path != "/":
        found["depends"] = [holder.path]
    return found | _early(each.path, early, each.needed_for_boot)


def _link(each: Persisted) -> nix.Value:
    return {"source": source(each)}


def _set(settings: Mapping[str, nix.Value], name: str) -> Mapping[str, nix.Value]:
    value = settings[name]
    assert isinstance(value, Mapping)
    return value
