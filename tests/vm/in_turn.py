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

from crash.forked import subfloor

if __name__ == "__main__":
    print(json.dumps([asdict(subfloor(*command)) for command in json.loads(sys.argv[1])]))
