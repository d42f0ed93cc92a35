"""Which machine this is: an identity of its hardware, the same from an installer and from the installed system."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid5

_NAMESPACE = UUID("d0c1a6b4-7f0e-5f57-9d43-6c1f0c9b7e21")

_PLACES = ("class/dmi/id/product_uuid", "firmware/devicetree/base/serial-number")
"""Below /sys: the UUID that the firmware gives the system (SMBIOS 3.7, 7.2.1), which only root can read; and, on boards
without SMBIOS, the serial number in the device tree (Devicetree Specification, 3.2)."""


def this_machine(sys: Path = Path("/sys")) -> str:
    """A UUID derived from the identity of the hardware; empty if there is none, or if it cannot be read.

    /etc/machine-id cannot be used, since an installer has another one at every start.
    """
    found = next(filter(None, (_text(sys / place) for place in _PLACES)), "")
    return str(uuid5(_NAMESPACE, found)) if found else ""


def _text(path: Path) -> str:
    """The text of a file; empty if there is none, or if it is only a placeholder of the firmware."""
    try:
        text = path.read_bytes().decode("ascii", "replace").strip(" \n\0").lower()
    except OSError:
        return ""
    return "" if set(text) <= set("0-") or set(text) <= set("f-") else text
