"""What a remount changes at the other mounts of a filesystem."""

from __future__ import annotations

from subfloor.core.machine import Machine
from subfloor.observe.mount import Mount, Mounted, MountState, remounting


def _machine() -> Machine:
    store = Mounted("/dev/vda3", "ext4", "/", frozenset({"ro", "noatime"}))
    bind = Mounted("/dev/vda3", "ext4", "/log", frozenset({"ro", "noatime"}), halted=True)
    other = Mounted("/dev/vdb1", "ext4", "/", frozenset({"rw"}), halted=True)
    return Machine(
        {Mount(path): MountState(top) for path, top in (("/nix", store), ("/var/log", bind), ("/srv", other))}
    )


def test_a_filesystem_that_becomes_writable_is_so_where_it_is_bound() -> None:
    after = remounting(_machine(), "/nix", frozenset({"rw", "noatime"}), frozenset(), frozenset())
    assert [after[Mount(path)].top.halted for path in ("/nix", "/var/log", "/srv")] == [False, False, True]  # type: ignore[union-attr]
    assert after[Mount("/var/log")].top.options == {"rw", "noatime"}  # type: ignore[union-attr]


def test_a_filesystem_that_stays_read_only_stays_so_where_it_is_bound() -> None:
    after = remounting(_machine(), "/nix", frozenset({"ro"}), frozenset(), frozenset())
    assert after[Mount("/var/log")].top.halted  # type: ignore[union-attr]
