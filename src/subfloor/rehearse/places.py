"""Find the cache directory and the programs of this host."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from subfloor.rehearse.model import NoTool

NIXOS = Path("/etc/NIXOS")
"""A file that exists on every NixOS."""

_PACKAGES = {
    "apt-get": "apt",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "dpkg": "dpkg",
    "qemu-system-x86_64": "qemu-system-x86",
}


def cache() -> Path:
    """The directory for files that can be fetched or computed again. It is made if it is missing."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    path = (Path(base) if base else Path.home() / ".cache") / "subfloor"
    path.mkdir(parents=True, exist_ok=True)
    return path


def tool(name: str) -> Path:
    """A program's path: from the environment variable SUBFLOOR_NAME, else from the PATH.

    Raises `NoTool`, which says what to install.
    """
    # A user's PATH on Debian lacks the directories of depmod and similar programs.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    told = os.environ.get(f"SUBFLOOR_{re.sub('[^A-Za-z0-9]', '_', name).upper()}")
    found = told or shutil.which(name, path=path)
    if found is None:
        raise NoTool(
            f"{name} is not installed, but the virtual machine needs it",
            advice=install(_PACKAGES.get(name, name)),
        )
    return Path(found)


def install(package: str) -> str:
    """The advice for a missing package. NixOS has no apt, but the package of subfloor's flake includes all programs."""
    if NIXOS.exists():
        return "Run the package of subfloor's flake, which includes it: `nix run PATH-TO-SUBFLOOR -- rehearse …`"
    return f"Install it (on Debian: apt-get install {package}) and try again"
