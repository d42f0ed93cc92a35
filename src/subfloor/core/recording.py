"""What a play was read from: everything that another machine needs to run the same play again.

It holds no secret: the playbook room leaves out every variable that reaches a secret parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Program:
    """subfloor itself, as a wheel. ``name``: its file name, which contains a digest of its content.

    ``content`` makes the file. Its bytes depend on the compression library, so they are never compared.
    """

    name: str
    version: str
    content: Callable[[], bytes] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Recording:
    """What a play was read from. ``files``: texts of the playbook and of its parts, by their relative names.

    ``variables``: the values that were given beside the playbook, as YAML texts; ``inventory``: the text of an
    inventory of only this host. ``set_by``: for a parameter of the task, the only variable that sets it.
    ``modules``: NixOS modules of this version of subfloor, by file name.
    """

    files: Mapping[str, str]
    variables: Mapping[str, str]
    inventory: str
    set_by: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    program: Program | None = None


@dataclass(frozen=True)
class Unrecorded:
    """The reason why a play cannot be recorded, and what to do about it."""

    why: str
    advice: str
