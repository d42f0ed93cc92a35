"""Where things are kept on this host, and which programs it has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from subfloor.vm.model import NoTool

_PACKAGES = {
    "apt-get": "apt",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "dpkg": "dpkg",
    "qemu-system-x86_64": "qemu-system-x86",
}


def cache() -> Path:
    """The directory, made where it is missing, for what can be fetched or found out again."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    path = (Path(base) if base else Path.home() / ".cache") / "subfloor"
    path.mkdir(parents=True, exist_ok=True)
    return path


def tool(name: str) -> Path:
    """A program's path. Raises `NoTool`, which says what to install."""
    # A user's PATH on Debian lacks the directories where depmod and its like live.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        package = _PACKAGES.get(name, name)
        raise NoTool(
            f"There is no {name} here, and the virtual machine needs it",
            advice=f"Install it (on Debian: apt-get install {package}) and try again",
        )
    return Path(found)
