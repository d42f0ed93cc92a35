"""`bind-persist` on a real kernel: what is bound once, what is not ours, and content that must not be hidden."""

from __future__ import annotations

import pytest

from disks.devices import ext4
from disks.mount_namespace import MountNamespace, namespace
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root

__all__ = ["ext4", "namespace"]  # fixtures


@pytest.mark.parametrize("path", ["/var/log", "/it's/ödd \\ and\nlong $(x)"])
def test_a_directory_is_bound_once_case_61(ext4: str, namespace: MountNamespace, path: str) -> None:
    """Ten runs leave as many mounts as one."""
    root = str(namespace.path / "root")
    play = (
        {"tmpfs-mount": {"path": root, "size": "1MiB"}},
        {"mount": {"path": f"{root}/nix", "source": ext4, "type": "ext4"}},
        {"bind-persist": {"path": path, "root": root, "mode": "0750"}},
    )
    namespace.settle(play[0], play[1])
    assert len(namespace.settle(*play)) == 1
    for _ in range(10):
        assert namespace.apply(*play) == []
    mount = namespace.mount(f"root{path}")
    assert (mount.root, mount.source) == (f"/persist{path}", f"{ext4}[/persist{path}]")
    found = namespace.shell.run(("stat", "-c", "%a", f"{root}{path}"))
    assert found.stdout == b"750\n"


def test_another_bind_at_the_path_is_refused(namespace: MountNamespace) -> None:
    namespace.sh("mkdir -p root/nix/persist/home root/home other; mount --bind other root/home")
    play = {"bind-persist": {"path": "/home", "root": str(namespace.path / "root")}}
    with pytest.raises(SubfloorError, match=r"is mounted at .*root/home, but .*root/nix/persist/home, that is"):
        namespace.apply(play)
    namespace.sh("umount root/home")
    namespace.settle(play)
    namespace.sh("mount --bind root/nix/persist/home root/home")
    with pytest.raises(SubfloorError, match=r"2 mounts are stacked"):
        namespace.apply(play)


def test_a_bind_whose_source_was_deleted_is_refused_case_60(namespace: MountNamespace) -> None:
    play = {"bind-persist": {"path": "/home", "root": str(namespace.path / "root")}}
    namespace.settle(play)
    namespace.sh("rmdir root/nix/persist/home")
    with pytest.raises(SubfloorError, match=r"the directory that is bound to .*root/home was deleted"):
        namespace.apply(play)
    namespace.sh("umount root/home")
    namespace.settle(play)


def test_bind_over_content(namespace: MountNamespace) -> None:
    play = {"path": "/etc/x", "root": str(namespace.path / "root")}
    namespace.sh(
        "mkdir -p root/etc/x/sub root/nix/persist/etc/x; echo 1 > root/etc/x/sub/-a; ln -s nowhere root/etc/x/l"
    )
    namespace.sh("chmod 700 root/etc/x/sub; echo 2 > root/etc/x/'a b'")
    with pytest.raises(SubfloorError, match=r"would hide content of .*: a b, l, sub, sub/-a"):
        namespace.apply({"bind-persist": play})
    assert len(namespace.settle({"bind-persist": {**play, "existing": "copy"}})) == 2
    assert namespace.sh("cat root/etc/x/sub/-a; readlink root/etc/x/l; stat -c %a root/etc/x/sub").split() == [
        *("1", "nowhere", "700")
    ]
    assert namespace.sh("ls root/nix/persist/etc/x").splitlines() == ["a b", "l", "sub"]


def test_bind_over_content_that_differs(namespace: MountNamespace) -> None:
    namespace.sh("mkdir -p root/etc/x root/nix/persist/etc/x; echo 1 > root/etc/x/a; echo 2 > root/nix/persist/etc/x/a")
    play = {"path": "/etc/x", "root": str(namespace.path / "root"), "existing": "copy"}
    with pytest.raises(SubfloorError, match=r"a at .*root/etc/x and in .*persist/etc/x differ"):
        namespace.apply({"bind-persist": play})
    namespace.sh("cp root/etc/x/a root/nix/persist/etc/x/a")
    namespace.settle({"bind-persist": play})


def test_bind_over_many_files(namespace: MountNamespace) -> None:
    """However many entries agree, the one that is missing is found; and too many to list are copied all the same."""
    namespace.sh(
        "mkdir -p root/x root/nix/persist/x; cd root/x; for i in $(seq 1100); do : > $i; done; cp * ../nix/persist/x"
    )
    namespace.sh("echo 1 > root/x/zz")
    play = {"path": "/x", "root": str(namespace.path / "root")}
    with pytest.raises(SubfloorError, match=r"would hide content of .*: zz"):
        namespace.apply({"bind-persist": play})
    namespace.sh("rm root/nix/persist/x/*")
    with pytest.raises(SubfloorError, match=r"and at least 95 more"):
        namespace.apply({"bind-persist": play})
    namespace.settle({"bind-persist": {**play, "existing": "copy"}})
    assert namespace.sh("ls root/nix/persist/x | wc -l; cat root/x/zz").split() == ["1101", "1"]


def test_a_file_is_bound(namespace: MountNamespace) -> None:
    root = str(namespace.path / "root")
    namespace.sh("mkdir -p root/etc; echo 0123 > root/etc/machine-id")
    play = {"path": "/etc/machine-id", "root": root, "kind": "file", "mode": "0444", "existing": "copy"}
    namespace.settle({"bind-persist": play})
    namespace.settle({"bind-persist": {"path": "/etc/new", "root": root, "kind": "file", "owner": "1000"}})
    assert namespace.sh("cat root/etc/machine-id; stat -c %a root/nix/persist/etc/machine-id").split() == [
        "0123",
        "444",
    ]
    assert namespace.sh("stat -c %a:%u:%s root/etc/new") == "644:1000:0"
    assert namespace.mount("root/etc/machine-id").root.endswith("/root/nix/persist/etc/machine-id")


def test_directories_above_a_path_in_a_home_belong_to_the_user(namespace: MountNamespace) -> None:
    root = str(namespace.path / "root")
    play = {"path": "/home/ada/.config/app", "root": root, "owner": "1234", "group": "100", "mode": "0700"}
    namespace.settle({"bind-persist": play})
    above = "root/home/ada root/home/ada/.config root/nix/persist/home/ada root/nix/persist/home/ada/.config"
    theirs = ["700:1234:100", "755:1234:100"] * 2
    assert namespace.sh(f"stat -c %a:%u:%g {above} root/home").split() == [*theirs, "755:0:0"]
    namespace.sh("chown 0:0 root/home/ada root/nix/persist/home/ada/.config; chmod 755 root/home/ada")
    namespace.settle({"bind-persist": play})
    assert namespace.sh(f"stat -c %a:%u:%g {above}").split() == theirs
