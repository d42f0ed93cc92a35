"""How the installed system opens LUKS containers: in stage 1 those that stage 1 needs, all others in stage 2.

Stage 1 reads `boot.initrd.luks.devices` (nixos/modules/system/boot/luksroot.nix), stage 2 reads crypttab(5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from subfloor.core.contributions import EncryptedDevice
from subfloor.nixos import encryption_checks, nix
from subfloor.nixos.initrd import Initrd, files
from subfloor.nixos.layout import Layout

_SECRETS = "/etc/luks"
"""The directory in the initrd for the files that NixOS copies into it (systemd/initrd-secrets.nix)."""


def settings(layout: Layout, initrd: Initrd, early: Collection[str]) -> dict[str, nix.Value]:
    """The options `boot.initrd` and `environment.etc.crypttab`. ``early``: the containers that stage 1 opens.

    Raises ``ValueError`` for a container that the system could not open, or whose key would not be protected.
    """
    encryption_checks.check(layout, initrd, early)
    first = [each for each in layout.encrypted if each.name in early]
    later = [each for each in layout.encrypted if each.name not in early]
    found: dict[str, nix.Value] = {}
    if first:
        options: dict[str, nix.Value] = {
            "luks": {"devices": {each.name: _opened(each, initrd, layout) for each in first}}
        }
        secrets: dict[str, nix.Value] = {_embedded(each, what): path for each in first for what, path in files(each)}
        found["boot"] = {"initrd": options | ({"secrets": secrets} if secrets and initrd.embeds else {})}
    if later:
        text = "".join(f"{_line(each, layout)}\n" for each in later)
        found["environment"] = {"etc": {"crypttab": {"text": text}}}
    return found


def _opened(each: EncryptedDevice, initrd: Initrd, layout: Layout) -> dict[str, nix.Value]:
    found: dict[str, nix.Value] = {"device": each.device}
    if each.device in layout.grouped and not initrd.systemd:
        found["preLVM"] = False
    if each.header:
        found["header"] = _in_stage_1(each, "header", each.header, initrd)
    if each.key_file:
        found["keyFile"] = _in_stage_1(each, "key file", each.key_file, initrd)
        # If the file is missing, systemd asks for a passphrase anyway; NixOS refuses the option for a systemd initrd.
        found |= {} if initrd.systemd else {"fallbackToPassword": True}
    if each.allow_discards:
        found["allowDiscards"] = True
    if each.tokens:
        found["crypttabExtraOpts"] = list(_tokens(each))
    return found


def _in_stage_1(each: EncryptedDevice, what: str, path: str, initrd: Initrd) -> str:
    if path.startswith("/dev/"):
        return path
    # systemd mounts the filesystem that holds a key before it opens the container (encrypted-devices.nix, `keyFile`).
    return _embedded(each, what) if initrd.embeds else f"/sysroot{path}"


def _embedded(each: EncryptedDevice, what: str) -> str:
    return f"{_SECRETS}/{each.name}.{'key' if what == 'key file' else what}"


def _tokens(each: EncryptedDevice) -> Iterator[str]:
    """How systemd-cryptsetup finds a token that systemd-cryptenroll enrolled (crypttab(5))."""
    return (f"{token}-device=auto" for token in each.tokens)


def _line(each: EncryptedDevice, layout: Layout) -> str:
    """A line of crypttab(5)."""
    options = ["luks", *(["discard"] if each.allow_discards else []), *_tokens(each)]
    options += [f"header={each.header}"] if each.header else []
    options += ["nofail"] if _is_dispensable(each, layout) else []
    return " ".join((each.name, each.device, each.key_file or "-", ",".join(options)))


def _is_dispensable(each: EncryptedDevice, layout: Layout) -> bool:
    """Whether the boot succeeds without the container: only filesystems that may be missing lie in it."""
    mounts = [mount for mount in layout.filesystems if each in layout.containers(mount.device)]
    swaps = any(each in layout.containers(swap.device) for swap in layout.swaps)
    return bool(mounts) and not swaps and all({"nofail", "noauto"} & set(mount.options) for mount in mounts)
