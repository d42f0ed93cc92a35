"""Persistent paths as options of the module `impermanence` (github.com/nix-community/impermanence).

The options are `environment.persistence.STORE` with `directories`, `files`, `hideMounts` and `users.NAME`, in which
paths are relative to the user's home directory. The module takes that directory from `users.users.NAME.home` (since
January 2026, when its own option was removed; submodule-options.nix).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from subfloor.core.contributions import Persisted
from subfloor.nixos import nix
from subfloor.nixos.layout import lies_in

_ROOT = {"root", "0"}


def stores(persisted: Sequence[Persisted], homes: Mapping[str, str]) -> dict[str, nix.Value]:
    """The value of `environment.persistence`. ``homes``: the home directories of the declared users."""
    every = dict.fromkeys(each.store for each in persisted)
    return {store: _store([each for each in persisted if each.store == store], homes) for store in every}


def _store(kept: list[Persisted], homes: Mapping[str, str]) -> dict[str, nix.Value]:
    owners = {each: _owner(each, homes) for each in kept}
    found: dict[str, nix.Value] = {"hideMounts": True}
    found |= _listed([each for each in kept if owners[each] is None], "")
    users = dict.fromkeys(name for name in owners.values() if name is not None)
    if users:
        found["users"] = {name: _listed([each for each in kept if owners[each] == name], homes[name]) for name in users}
    return found


def _owner(each: Persisted, homes: Mapping[str, str]) -> str | None:
    """The user in whose home directory a path lies; None for any other path, and for the home directory itself."""
    inside = [name for name, home in homes.items() if each.path != home and lies_in(each.path, home)]
    return max(inside, key=lambda name: len(homes[name]), default=None)


def _listed(kept: list[Persisted], home: str) -> dict[str, nix.Value]:
    directories = [_directory(each, home) for each in kept if each.kind == "directory"]
    files: list[nix.Value] = [_relative(each, home) for each in kept if each.kind == "file"]
    found: dict[str, nix.Value] = {"directories": directories} if directories else {}
    return found | ({"files": files} if files else {})


def _directory(each: Persisted, home: str) -> nix.Value:
    """A directory: only its path if owner, group and mode are the defaults. In a home directory the user owns it."""
    said: dict[str, nix.Value] = {}
    if each.owner not in _ROOT and not home:
        said["user"] = each.owner
    if each.group not in _ROOT and not home:
        said["group"] = each.group
    if each.mode not in ("0755", "755"):
        said["mode"] = each.mode
    return {"directory": _relative(each, home), **said} if said else _relative(each, home)


def _relative(each: Persisted, home: str) -> str:
    return each.path.removeprefix(f"{home}/") if home else each.path
