"""Users and groups that a machine knows by name, from any source of its name service."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Subject


@dataclass(frozen=True)
class Account(Subject[bool]):
    """Whether a user or a group of this name exists."""

    kind: Literal["user", "group"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def probes(self) -> tuple[str, ...]:
        """One probe: getent(1), or the database in /etc if there is no getent."""
        database = "passwd" if self.kind == "user" else "group"
        return (f"database={database}; name={shlex.quote(self.name)}\n{_PROBE}",)

    def parse(self, *outputs: Output) -> bool:
        """Whether the account exists. Raises ``LookFailed`` if getent(1) fails."""
        (found,) = outputs
        if found.status not in (0, 2):  # getent(1): 2 if the name could not be found
            raise LookFailed(
                f"the {self} cannot be looked up",
                advice="run `getent` to see why, or write the number in place of the name",
            )
        return found.status == 0


_PROBE = """
if command -v getent >/dev/null; then getent "$database" "$name" >/dev/null; exit; fi
while IFS=: read -r each _; do [ "$each" != "$name" ] || exit 0; done < "/etc/$database" || exit 1
exit 2
"""
