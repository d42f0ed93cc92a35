"""`make mutants`: every deliberate fault in turn, and which test catches it; exits with 1 where one survives.

python -m mutants [WORD…]      only those whose `why` has one of these words
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mutants.mutant import Mutant, Verdict, judge, plant
from mutants.table import MUTANTS


def main(words: Sequence[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.why for word in words)]
    survived = [mutant for mutant in chosen if not _caught(mutant)]
    print(f"{len(chosen) - len(survived)} of {len(chosen)} mutants were caught")
    for mutant in survived:
        print(f"SURVIVED: {mutant.why} ({mutant.file})")
    return 1 if survived or not chosen else 0


def _caught(mutant: Mutant) -> bool:
    with tempfile.TemporaryDirectory(prefix="mutant-") as place:
        tree = plant(Path(place))
        mutant.apply(tree)
        try:
            verdict = judge(tree, mutant.tests)
        except RuntimeError as error:
            verdict = Verdict(None, str(error))
    told = f"caught by {verdict.caught_by}" if verdict.caught_by else f"SURVIVED\n{verdict.said}"
    print(f"{mutant.why}: {told}", flush=True)
    return verdict.caught_by is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
