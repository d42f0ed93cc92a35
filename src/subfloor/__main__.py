"""``python -m subfloor``."""

from subfloor.cli import main

main()
