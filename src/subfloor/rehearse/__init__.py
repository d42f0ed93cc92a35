"""A temporary virtual machine for rehearsals and tests.

It boots a kernel with the host's own root under an overlay in memory: it has all programs of the host, and
everything that is written outside the guest's own disks is lost at the end. The pure parts (`initrd`, `qemu`,
`scripts`) describe what to boot; `kernel` and `accel` find what this host has; `start` boots the guest and `session`
talks to it; `agent` is the only part that runs in the guest.
"""

from subfloor.rehearse.kernel import find as find_kernel
from subfloor.rehearse.model import (
    CommandTimeout,
    Disk,
    Guest,
    GuestLost,
    Kernel,
    NoKernel,
    NoTool,
    VmError,
    device_names,
)
from subfloor.rehearse.session import Machine
from subfloor.rehearse.start import BOOT_DEADLINE, boot, boot_from_disk, run

__all__ = [
    "BOOT_DEADLINE", "CommandTimeout", "Disk", "Guest", "GuestLost", "Kernel", "Machine", "NoKernel", "NoTool",
    "VmError", "boot", "boot_from_disk", "device_names", "find_kernel", "run",
]  # fmt: skip
