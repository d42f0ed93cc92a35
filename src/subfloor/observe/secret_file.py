"""Files with secret content, which is compared but never shown."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.machine import Output
from subfloor.core.secret import Secret
from subfloor.observe.path import Absent, Located, NotYetVisible, TextFile, TextState


@dataclass(frozen=True)
class SecretFile(Located[Secret | Absent | NotYetVisible]):
    """The content of a regular file, as a secret; anything else counts as absent."""

    path: str

    def __str__(self) -> str:
        return f"secret in {self.path}"

    def probes(self) -> tuple[str, ...]:
        """The probe of ``TextFile``."""
        return TextFile(self.path).probes()

    def parse(self, *outputs: Output) -> Secret | Absent | NotYetVisible:
        """The content as a secret, or ``Absent``. Raises ``LookFailed`` if the file cannot be read."""
        read: TextState = TextFile(self.path).parse(*outputs)
        # Bytes that are not UTF-8 become surrogates. A hash contains none, so such content equals no hash.
        return (
            read
            if isinstance(read, Absent | NotYetVisible)
            else Secret(read.content.decode("utf-8", "surrogateescape"))
        )

    def in_empty(self) -> Absent:
        """``Absent``: an empty filesystem has no file."""
        return Absent()
