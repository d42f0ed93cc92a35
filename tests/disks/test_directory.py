"""`directory` on a real filesystem: its owner and mode, and what is there in its stead."""

from __future__ import annotations

import pytest

from disks.mount_namespace import MountNamespace, namespace
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root

__all__ = ["namespace"]  # fixtures


def test_a_directory_is_made_and_corrected(namespace: MountNamespace) -> None:
    path = namespace.path / "srv/my data"
    play = {"directory": {"path": str(path), "owner": "1000", "group": "tty", "mode": "2750"}}
    namespace.settle(play)
    assert namespace.sh("stat -c %a:%u:%G 'srv/my data'; stat -c %a:%u srv").split() == ["2750:1000:tty", "755:0"]
    namespace.sh("chown 0:0 'srv/my data'; chmod 0700 'srv/my data'")
    namespace.settle(play)
    assert namespace.sh("stat -c %a:%u:%G 'srv/my data'") == "2750:1000:tty"


def test_a_directory_in_place_of_something_else_is_refused_case_63(namespace: MountNamespace) -> None:
    namespace.sh("touch file; ln -s nowhere dangling; mkdir real; ln -s real link")
    for path, words in (
        ("file", "is a file"),
        ("dangling", "is a symbolic link"),
        ("file/x/y", "file is not a directory"),
        ("link/x", "leads through a symbolic link"),
        ("dangling/x", "leads through a symbolic link"),
    ):
        with pytest.raises(SubfloorError, match=words):
            namespace.apply({"directory": {"path": str(namespace.path / path)}})
