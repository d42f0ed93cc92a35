"""`ssh-host-keys` with the real ssh-keygen: keys that are made, kept, and never replaced."""

from __future__ import annotations

import shutil

import pytest

from disks.mount_namespace import MountNamespace, namespace
from subfloor.core.errors import SubfloorError

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen"),
]

__all__ = ["namespace"]  # a fixture

KEYS = "root/nix/persist/etc/ssh"
ONE = f"{KEYS}/ssh_host_ed25519_key"


def test_keys_are_made_once(namespace: MountNamespace) -> None:
    play = {"ssh-host-keys": {"root": str(namespace.path / "root")}}
    assert len(namespace.settle(play)) == 4
    assert namespace.sh(f"ls -A {KEYS}").split() == [
        *("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "ssh_host_rsa_key", "ssh_host_rsa_key.pub")
    ]
    assert namespace.sh(f"stat -c %a {KEYS}/*").split() == ["600", "644", "600", "644"]
    for kind in ("ed25519", "rsa"):
        derived, kept = (
            namespace.sh(f"{show} {KEYS}/ssh_host_{kind}_key{end}").split()[:2]
            for show, end in (("ssh-keygen -y -f", ""), ("cat", ".pub"))
        )
        assert derived == kept
    assert "4096" in namespace.sh(f"ssh-keygen -l -f {KEYS}/ssh_host_rsa_key.pub")


def test_an_existing_key_is_kept(namespace: MountNamespace) -> None:
    play = {"ssh-host-keys": {"root": str(namespace.path / "root"), "types": ["ed25519"]}}
    namespace.sh(f"mkdir -p {KEYS}; ssh-keygen -q -t ed25519 -N '' -f {ONE}; cp {ONE} kept; cp {ONE}.pub kept.pub")
    namespace.sh(f"rm {ONE}.pub; chmod 644 {ONE}")
    assert len(namespace.settle(play)) == 2
    namespace.sh(f"cmp {ONE} kept")
    assert namespace.sh(f"cat {ONE}.pub").split()[:2] == namespace.sh("cat kept.pub").split()[:2]


def test_a_key_of_an_interrupted_run_is_made_again(namespace: MountNamespace) -> None:
    play = {"ssh-host-keys": {"root": str(namespace.path / "root"), "types": ["ed25519"]}}
    namespace.settle(play)
    left = ".subfloor-left"
    namespace.sh(f"mv {ONE} {KEYS}/{left}; rm {ONE}.pub")
    assert len(namespace.settle(play)) == 2
    assert namespace.sh(f"ls -A {KEYS} | wc -l") == "3"


@pytest.mark.parametrize("content", ["", "a note"])
def test_another_file_is_never_overwritten(namespace: MountNamespace, content: str) -> None:
    namespace.sh(f"mkdir -p {KEYS}; printf '{content}' > {ONE}")
    with pytest.raises(SubfloorError, match=r"ssh_host_ed25519_key is (empty|no private key)"):
        namespace.apply({"ssh-host-keys": {"root": str(namespace.path / "root")}})
    assert namespace.sh(f"cat {ONE}") == content
