"""`bind-persist` on a real kernel: what is bound once, what is not ours, and content that must not be hidden."""

from __future__ import annotations

import pytest

from disks.devices import ext4
from disks.ground import Ground, ground
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root

__all__ = ["ext4", "ground"]  # fixtures


@pytest.mark.parametrize("path", ["/var/log", "/it's/ödd \\ and\nlong $(x)"])
def test_a_directory_is_bound_once_case_61(ext4: str, ground: Ground, path: str) -> None:
    """Ten runs leave as many mounts as one."""
    root = str(ground.path / "root")
    play = (
        {"tmpfs-mount": {"path": root, "size": "1MiB"}},
        {"mount": {"path": f"{root}/nix", "source": ext4, "type": "ext4"}},
        {"bind-persist": {"path": path, "root": root, "mode": "0750"}},
    )
    ground.settle(play[0], play[1])
    assert len(ground.settle(*play)) == 1
    for _ in range(10):
        assert ground.apply(*play) == []
    mount = ground.mount(f"root{path}")
    assert (mount.root, mount.source) == (f"/persist{path}", f"{ext4}[/persist{path}]")
    found = ground.shell.run(("stat", "-c", "%a", f"{root}{path}"))
    assert found.stdout == b"750\n"


def test_another_bind_at_the_path_is_refused(ground: Ground) -> None:
    ground.sh("mkdir -p root/nix/persist/home root/home other; mount --bind other root/home")
    play = {"bind-persist": {"path": "/home", "root": str(ground.path / "root")}}
    with pytest.raises(SubfloorError, match=r"is mounted at .*root/home, but .*root/nix/persist/home, that is"):
        ground.apply(play)
    ground.sh("umount root/home")
    ground.settle(play)
    ground.sh("mount --bind root/nix/persist/home root/home")
    with pytest.raises(SubfloorError, match=r"2 mounts are stacked"):
        ground.apply(play)


def test_a_bind_whose_source_was_deleted_is_refused_case_60(ground: Ground) -> None:
    play = {"bind-persist": {"path": "/home", "root": str(ground.path / "root")}}
    ground.settle(play)
    ground.sh("rmdir root/nix/persist/home")
    with pytest.raises(SubfloorError, match=r"the directory that is bound to .*root/home was deleted"):
        ground.apply(play)
    ground.sh("umount root/home")
    ground.settle(play)


def test_bind_over_content(ground: Ground) -> None:
    play = {"path": "/etc/x", "root": str(ground.path / "root")}
    ground.sh("mkdir -p root/etc/x/sub root/nix/persist/etc/x; echo 1 > root/etc/x/sub/-a; ln -s nowhere root/etc/x/l")
    ground.sh("chmod 700 root/etc/x/sub; echo 2 > root/etc/x/'a b'")
    with pytest.raises(SubfloorError, match=r"would hide content of .*: a b, l, sub, sub/-a"):
        ground.apply({"bind-persist": play})
    assert len(ground.settle({"bind-persist": {**play, "existing": "copy"}})) == 2
    assert ground.sh("cat root/etc/x/sub/-a; readlink root/etc/x/l; stat -c %a root/etc/x/sub").split() == [
        *("1", "nowhere", "700")
    ]
    assert ground.sh("ls root/nix/persist/etc/x").splitlines() == ["a b", "l", "sub"]


def test_bind_over_content_that_differs(ground: Ground) -> None:
    ground.sh("mkdir -p root/etc/x root/nix/persist/etc/x; echo 1 > root/etc/x/a; echo 2 > root/nix/persist/etc/x/a")
    play = {"path": "/etc/x", "root": str(ground.path / "root"), "existing": "copy"}
    with pytest.raises(SubfloorError, match=r"a at .*root/etc/x and in .*persist/etc/x differ"):
        ground.apply({"bind-persist": play})
    ground.sh("cp root/etc/x/a root/nix/persist/etc/x/a")
    ground.settle({"bind-persist": play})


def test_bind_over_many_files(ground: Ground) -> None:
    """However many entries agree, the one that is missing is found; and too many to list are copied all the same."""
    ground.sh(
        "mkdir -p root/x root/nix/persist/x; cd root/x; for i in $(seq 1100); do : > $i; done; cp * ../nix/persist/x"
    )
    ground.sh("echo 1 > root/x/zz")
    play = {"path": "/x", "root": str(ground.path / "root")}
    with pytest.raises(SubfloorError, match=r"would hide content of .*: zz"):
        ground.apply({"bind-persist": play})
    ground.sh("rm root/nix/persist/x/*")
    with pytest.raises(SubfloorError, match=r"and at least 95 more"):
        ground.apply({"bind-persist": play})
    ground.settle({"bind-persist": {**play, "existing": "copy"}})
    assert ground.sh("ls root/nix/persist/x | wc -l; cat root/x/zz").split() == ["1101", "1"]


def test_a_file_is_bound(ground: Ground) -> None:
    root = str(ground.path / "root")
    ground.sh("mkdir -p root/etc; echo 0123 > root/etc/machine-id")
    play = {"path": "/etc/machine-id", "root": root, "kind": "file", "mode": "0444", "existing": "copy"}
    ground.settle({"bind-persist": play})
    ground.settle({"bind-persist": {"path": "/etc/new", "root": root, "kind": "file", "owner": "1000"}})
    assert ground.sh("cat root/etc/machine-id; stat -c %a root/nix/persist/etc/machine-id").split() == ["0123", "444"]
    assert ground.sh("stat -c %a:%u:%s root/etc/new") == "644:1000:0"
    assert ground.mount("root/etc/machine-id").root.endswith("/root/nix/persist/etc/machine-id")


def test_directories_above_a_path_in_a_home_belong_to_the_user(ground: Ground) -> None:
    root = str(ground.path / "root")
    play = {"path": "/home/ada/.config/app", "root": root, "owner": "1234", "group": "100", "mode": "0700"}
    ground.settle({"bind-persist": play})
    above = "root/home/ada root/home/ada/.config root/nix/persist/home/ada root/nix/persist/home/ada/.config"
    theirs = ["700:1234:100", "755:1234:100"] * 2
    assert ground.sh(f"stat -c %a:%u:%g {above} root/home").split() == [*theirs, "755:0:0"]
    ground.sh("chown 0:0 root/home/ada root/nix/persist/home/ada/.config; chmod 755 root/home/ada")
    ground.settle({"bind-persist": play})
    assert ground.sh(f"stat -c %a:%u:%g {above}").split() == theirs
