"""Runs several command lines of subfloor one after another, each in a process of its own.

    python in_turn.py '[["apply", "play.yml"], ["check", "play.yml"]]'

Python's start, and the imports, take most of a run's time under emulation. So they are done once here, and
each command line runs in a fork. Prints one JSON list: of each its exit status (negative: a signal) and what
it said.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from crash import forked

if __name__ == "__main__":
    forked.DEADLINE = 280  # an installation takes its time under emulation; it must end before whoever asked does
    print(json.dumps([asdict(forked.subfloor(*command)) for command in json.loads(sys.argv[1])]))
