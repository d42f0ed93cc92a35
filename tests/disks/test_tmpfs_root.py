"""All that mounts, swaps, binds and writes, in one play: a root in memory, with what is to outlast it on a disk."""

from __future__ import annotations

import pytest

from disks.devices import disk
from disks.mount_namespace import MountNamespace, entries, namespace
from subfloor.act.apply import Executor, apply, preflight
from subfloor.core.consent import Consent

pytestmark = pytest.mark.root

__all__ = ["disk", "namespace"]  # fixtures


def test_a_tmpfs_root_is_set_up_again_after_a_reboot(disk: str, namespace: MountNamespace) -> None:
    """A tmpfs root that is set up again: persistent content is found, and the rest is made again."""
    root = str(namespace.path / "root")
    play = (
        {"tmpfs-mount": {"path": root, "size": "16MiB"}},
        {"mount": {"path": f"{root}/nix", "source": f"{disk}p1", "type": "ext4"}},
        {"swap": {"device": f"{disk}p2"}},
        {"directory": {"path": f"{root}/srv"}},
        {"bind-persist": {"path": "/etc/nixos", "root": root}},
        {"nixos-config": {"root": root, "state_version": "24.05", "boot_loader": "none"}},
    )
    for part in range(1, len(play) + 1):
        namespace.settle(*play[:part])
    files = ["configuration.nix", "filesystems.nix", "hardware-configuration.nix"]
    assert namespace.sh("ls root/nix/persist/etc/nixos").split() == files
    namespace.sh("umount -R root")
    before = preflight(entries(play), namespace.shell, Consent())
    assert [report.outcome for report in before.reports] == [
        *("would-change", "would-change", "ok", "would-change", "not-visible", "not-visible")
    ]
    # An apply also takes the steps that a check cannot see yet.
    for report in apply(entries(play), before.machine, Executor(namespace.shell, Consent())):
        assert not report.error, report.error
    assert namespace.apply(*play) == []
    assert namespace.mount("root/etc/nixos").root == "/persist/etc/nixos"
