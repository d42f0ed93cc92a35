"""`nixos-config` from real mounts: it follows the play, and keeps what somebody edited."""

from __future__ import annotations

import pytest

from disks.devices import ext4
from disks.mount_namespace import MountNamespace, namespace
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root

__all__ = ["ext4", "namespace"]  # fixtures


def test_a_configuration_is_written_and_kept(ext4: str, namespace: MountNamespace) -> None:
    root = str(namespace.path / "root")
    uuid = namespace.sh(f"blkid -p -o value -s UUID {ext4}").strip()
    mount = {"mount": {"path": f"{root}/nix", "source": f"UUID={uuid}", "type": "ext4", "options": ["noatime"]}}
    config = {"nixos-config": {"root": root, "state_version": "24.05", "boot_loader": "none"}}
    namespace.sh("mkdir root")
    assert len(namespace.settle(mount, config)) == 4
    assert namespace.sh("ls root/etc/nixos; stat -c %a root/etc/nixos/*").split() == [
        *("configuration.nix", "filesystems.nix", "hardware-configuration.nix", "644", "644", "644")
    ]
    # Another version of the play writes it anew; what somebody edited is kept.
    mount["mount"]["options"] = ["relatime", "nodev"]
    assert namespace.settle(mount, config)[-1] == f"Write {root}/etc/nixos/filesystems.nix"
    namespace.sh("echo '# mine' >> root/etc/nixos/filesystems.nix")
    with pytest.raises(SubfloorError, match=r"(?s)was edited, or subfloor did not write it.*-# mine"):
        namespace.apply(mount, config)
    namespace.settle(mount, {"nixos-config": {**config["nixos-config"], "overwrite": True}})


def test_only_what_an_existing_flake_imports_is_written(ext4: str, namespace: MountNamespace) -> None:
    root = str(namespace.path / "root")
    uuid = namespace.sh(f"blkid -p -o value -s UUID {ext4}").strip()
    mount = {"mount": {"path": f"{root}/nix", "source": f"UUID={uuid}", "type": "ext4", "options": ["noatime"]}}
    config = {"root": root, "path": "/etc/nixos/hosts/ada", "writes": "filesystems", "flake": True}
    namespace.sh("mkdir -p root/etc/nixos; git -C root/etc/nixos init -q; echo '{ }' > root/etc/nixos/flake.nix")
    namespace.sh("git -C root/etc/nixos add flake.nix")
    said = namespace.settle(mount, {"nixos-config": config})
    assert said[-1] == f"Write {root}/etc/nixos/hosts/ada/filesystems.nix"
    assert namespace.sh("cd root/etc/nixos; find . -name .git -prune -o -type f -print | sort").split() == [
        *("./flake.nix", "./hosts/ada/filesystems.nix")
    ]
    assert namespace.sh("git -C root/etc/nixos ls-files").split() == ["flake.nix", "hosts/ada/filesystems.nix"]
    assert '"/nix" = {' in namespace.sh("cat root/etc/nixos/hosts/ada/filesystems.nix")
    with pytest.raises(ValueError, match="users: with `writes: filesystems` your own configuration declares it"):
        namespace.apply({"nixos-config": {**config, "users": {"ada": {"uid": 1000}}}})
