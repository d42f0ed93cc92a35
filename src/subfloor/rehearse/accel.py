"""Test whether KVM works on this host.

A /dev/kvm that can be opened may still hang, or be far slower than emulation (nested without hardware support).
So a guest of a few bytes is run under KVM with a short deadline. The result is remembered until the next boot of
this host.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from subfloor.rehearse.model import Accelerator, VmError
from subfloor.rehearse.places import cache
from subfloor.rehearse.qemu import QEMU

_PROBE_DEADLINE = 1.0  # seconds; 0.2 is usual
_PROBE_SAYS = 33  # QEMU's exit status when the guest writes 0x10 to the debug-exit port: 0x10 * 2 + 1
# mov dx,0x501; mov al,0x10; out dx,al; hlt; jmp back to the hlt
_BOOT_SECTOR = bytes.fromhex("ba0105b010eef4ebfd").ljust(510, b"\0") + b"\x55\xaa"


def choose(wanted: Literal["auto", "kvm", "tcg"] = "auto") -> Accelerator:
    """The accelerator to use. For `auto`: that of $SUBFLOOR_ACCEL, else KVM if it works, else TCG. Raises `VmError`."""
    asked = os.environ.get("SUBFLOOR_ACCEL", "auto") if wanted == "auto" else wanted
    match asked:
        case "kvm":
            return "kvm"
        case "tcg":
            return "tcg"
        case "auto":
            return "kvm" if _kvm_works() else "tcg"
    raise VmError(f"SUBFLOOR_ACCEL={asked}: there is no such accelerator", advice="Set it to auto, kvm or tcg")


def _kvm_works() -> bool:
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    remembered = cache() / "kvm"
    try:
        known, _, answer = remembered.read_text().partition(" ")
    except OSError:
        known = answer = ""
    if known != boot:
        answer = "works" if _probe() else "fails"
        remembered.write_text(f"{boot} {answer}")
    return answer == "works"


def _probe() -> bool:
    with tempfile.NamedTemporaryFile(prefix="subfloor-probe-") as image:
        image.write(_BOOT_SECTOR)
        image.flush()
        argv = [
            QEMU, "-accel", "kvm", "-machine", "pc", "-m", "16", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0x501,iosize=1",
            "-drive", f"file={image.name},format=raw,if=ide",
        ]  # fmt: skip
        try:
            done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PROBE_DEADLINE)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == _PROBE_SAYS
