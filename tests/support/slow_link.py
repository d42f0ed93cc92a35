"""A program between a run and its shell: passes everything on, later, and counts the round trips.

A round trip is input and then output. As a program: `slow_link.py SECONDS FILE PROGRAM…` delays each way by half of
SECONDS and leaves the number of round trips in FILE.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from pathlib import Path


def prefix(count: Path, seconds: float = 0.0) -> tuple[str, ...]:
    """The argv that leads to this machine through the program."""
    return (sys.executable, __file__, str(seconds), str(count))


def _forward(seconds: float, count: Path, argv: list[str]) -> int:
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    trips, asking = 0, False
    with selectors.DefaultSelector() as ready:
        ready.register(0, selectors.EVENT_READ)
        ready.register(process.stdout, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                data = os.read(key.fd, 1 << 16)
                if key.fd != 0 and not data:
                    return process.wait()
                if data and (key.fd == 0) != asking:
                    asking = key.fd == 0
                    trips += not asking
                    count.write_text(str(trips))
                    time.sleep(seconds / 2)
                if key.fd != 0:
                    os.write(1, data)
                elif data:
                    process.stdin.write(data)
                    process.stdin.flush()
                else:
                    ready.unregister(0)
                    process.stdin.close()


if __name__ == "__main__":
    sys.exit(_forward(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
