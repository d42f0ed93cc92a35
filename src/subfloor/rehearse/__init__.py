"""A throwaway virtual machine to rehearse a playbook in, and to test on.

It boots a kernel with the host's own root under a memory overlay: all the host's programs are there, all
that is written outside the guest's own disks is forgotten. The pure parts (`initrd`, `qemu`, `scripts`)
say what to boot; `kernel` and `accel` find what this host has; `start` boots it and `session` talks to
it; `agent` is the only part that runs inside.
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
