"""Runs the command line, and kills it with SIGKILL right after the Nth command that it ran on the host.

    python kill_after.py N apply PLAYBOOK …

A power cut or the kernel's out-of-memory killer leaves a run no time for anything. Looks at the machine
do not count: they go through the shell as scripts. Exits as the run does when it ends before.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from subfloor.cli import main
from subfloor.host import Result, Shell


def kill_after(count: int) -> None:
    """Arrange for this process to be killed after so many commands."""
    run = Shell.run
    left = count

    def counted(self: Shell, *arguments: Any, **options: Any) -> Result:
        nonlocal left
        result = run(self, *arguments, **options)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Shell.run = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    kill_after(int(sys.argv.pop(1)))
    main()
