"""Refusals of devices in use: who uses the device, what lies on it, and how to release it. Pure."""

from __future__ import annotations

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.observe.disk import HELD_BY
from subfloor.observe.holders import Holder, Holders


def refusal(machine: Machine, what: str, node: str, users: tuple[str, ...], advice: str) -> Refused:
    """The error for a device in use, with all devices above it. Raises ``LookNeeded``.

    ``what``: the device, in words. ``advice``: what to do if nothing lies on it.
    """
    held = any(HELD_BY in each for each in users)
    above = machine.further(Holders(node)) if held else ()
    on_it = f"; on it: {', '.join(map(str, above))}" if above else ""
    return Refused(f"{what} is in use: {', '.join(users)}{on_it}", advice=_release(above) or advice)


def _release(above: tuple[Holder, ...]) -> str:
    """Advice on how to release the devices, the uppermost first; "" if no command for that is known."""
    unmount = [f"umount {path}" for each in above for path in each.mounts]
    close = [each.closes for each in reversed(above) if each.closes]
    commands = ", ".join(f"`{each}`" for each in dict.fromkeys((*unmount, *close)))
    return f"subfloor never destroys what is in use; release it ({commands}), then run subfloor again" if close else ""
