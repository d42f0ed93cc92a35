"""`nixos-install` with a stand-in for the program, on real mounts: a rerun completes what was interrupted."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crash.sample import everything
from disks.mount_namespace import ALONE, MountNamespace
from loop_disks import attach, run, take_away
from places import DATA
from subfloor.act.host import Host
from subfloor.core.errors import CommandFailed, Refused, Unverified

pytestmark = pytest.mark.root

STAND_IN = DATA / "nixos_install_stand_in"
CONFIG = '{ ... }: { networking.hostName = "one"; }\n'


@dataclass(frozen=True)
class Site:
    """An install root in memory with a store on a disk and a boot partition, and the stand-in on the path."""

    namespace: MountNamespace
    root: Path

    def play(self, **more: Any) -> Mapping[str, Mapping[str, Any]]:
        return {"nixos-install": {"root": str(self.root), **more}}

    def apply(self, stop: str = "", **more: Any) -> list[str]:
        """Apply the task; ``stop`` is what becomes of the stand-in."""
        self.namespace.shell.script(f"export STAND_IN_STOP={stop}", timeout=10)
        return self.namespace.apply(self.play(**more))

    def runs(self) -> list[dict[str, Any]]:
        """What nixos-install was called with, every time."""
        log = self.namespace.path / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def configure(self, text: str = CONFIG, name: str = "configuration.nix") -> None:
        self.namespace.sh(f"mkdir -p root/etc/nixos; cat >root/etc/nixos/{name} <<'END'\n{text}END\n")

    def sh(self, script: str) -> str:
        return self.namespace.sh(script)

    def installed(self) -> str:
        """What firmware and the boot loader's entries would start, found without subfloor: the path of the init."""
        assert self.sh("cd root/boot; ls EFI/systemd/systemd-bootx64.efi EFI/BOOT/BOOTX64.EFI")
        default = self.sh("sed -n 's/^default //p' root/boot/loader/loader.conf")
        entry = self.sh(f"cat root/boot/loader/entries/{default}")
        (init,) = re.findall(r"init=(\S+)/init", entry)
        for kind, line in (("kernel", "linux"), ("initrd", "initrd")):
            (copy,) = re.findall(rf"^{line} (\S+)$", entry, re.MULTILINE)
            stored = self.sh(f"readlink root{init}/{kind}")
            self.sh(f"cmp root{stored} root/boot{copy}")
        link = self.sh("readlink root/nix/var/nix/profiles/system")
        assert self.sh(f"readlink root/nix/var/nix/profiles/{link}") == init
        return str(init)

    def forget(self) -> None:
        """Remove the generations before the last one, as the garbage collector does."""
        self.sh("cd root/nix/var/nix/profiles; for l in system-*-link; do [ $l = $(readlink system) ] || rm $l; done")

    def leftovers(self) -> list[str]:
        """What an interrupted run leaves, and must not be there after one that succeeded."""
        found = self.sh(
            "cd root; find boot nix/persist -name '*.tmp*' -o -name '.#*' -o -name tmp -o -name '*.unfinished'"
        )
        return found.splitlines()


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        # pytest's own directory is for its user alone, and a root that others cannot reach is refused.
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="subfloor-install-")))
        path.chmod(0o755)
        disk = attach(path / "store.img", "64M")
        stack.callback(take_away, disk)
        run("mkfs.ext4", "-q", disk.node)
        with Host("here", ALONE).shell() as shell:
            made = Site(MountNamespace(shell, path), path / "root")
            shell.script(f"export PATH={STAND_IN}:$PATH STAND_IN_LOG={path}/log", timeout=10)
            made.sh(
                "mkdir root; mount -t tmpfs -o mode=755 tmpfs root; mkdir root/nix root/boot;"
                f"mount {disk.node} root/nix; mkdir root/nix/esp; mount --bind root/nix/esp root/boot"
            )
            made.configure()
            yield made


def test_a_rerun_installs_nothing(site: Site) -> None:
    assert site.apply() == [f"Install NixOS from {site.root}/etc/nixos"]
    assert site.installed()
    assert site.apply() == []
    (ran,) = site.runs()
    assert ran["arguments"] == ["--root", str(site.root), "--no-root-passwd"]
    assert ran["TMPDIR"] == f"{site.root}/nix/persist/var/lib/subfloor/tmp", "on the disk"
    assert ran["NIXOS_CONFIG"] == f"{site.root}/etc/nixos/configuration.nix"
    assert site.leftovers() == []


@pytest.mark.parametrize("name", ["configuration.nix", "local.nix", "sub/other.nix"])
def test_a_changed_configuration_is_installed(site: Site, name: str) -> None:
    site.apply()
    before = site.installed()
    site.sh("mkdir root/etc/nixos/sub; mkdir root/etc/nixos/.git; echo x >root/etc/nixos/.git/index")
    assert site.apply() == [], "what git keeps is no part of it"
    site.configure("{ ... }: { }\n", name)
    assert len(site.apply()) == 1
    assert site.installed() != before
    assert site.apply() == []
    assert len(site.sh("ls root/boot/loader/entries").split()) == 2, "the generation before is still there to boot"
    site.configure(name=name) if name == "configuration.nix" else site.sh(f"rm root/etc/nixos/{name}")
    assert len(site.apply()) == 1
    assert site.apply() == []


INTERRUPTIONS = [("kill", 1, "renamed"), ("kill", 2, "in-place"), ("fail", 5, "")]
SOME = [("kill", 3, "renamed"), ("kill", 6, "in-place"), ("fail", 7, "")]
"""How a run ends, and at which of its places: each third, for example."""


@pytest.mark.parametrize(("how", "every", "copies"), INTERRUPTIONS if everything() else SOME)
def test_a_rerun_after_any_interruption_has_the_same_result(
    site: Site, how: str, every: int, copies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed or failing at some of its places in turn; a new configuration each time, over the last one."""
    monkeypatch.setenv("STAND_IN_COPIES", copies)
    place = 1
    while ended(site, how, place):
        ran = len(site.runs())
        assert site.apply()[-1].startswith("Install NixOS"), place
        assert site.installed() and site.leftovers() == [], place
        assert site.apply() == [] and len(site.runs()) == ran + 1, "one more run, and no other"
        site.forget()
        place += every
    assert place > 18, "and these were many"


def ended(site: Site, how: str, place: int) -> bool:
    """Whether a run was ended at its Nth place; it has no more places where not."""
    site.configure(f'{{ ... }}: {{ networking.hostName = "{how}{place}"; }}\n')
    try:
        site.apply(f"{how}:{place}")
    except CommandFailed as failed:
        assert "run the same command again" in failed.advice
        return True
    return False


def test_a_rerun_succeeds_after_two_interruptions(site: Site) -> None:
    """A second interruption leaves nothing worse."""
    site.apply()
    site.configure("{ ... }: { }\n")
    for place in (18, 13, 15, 4):
        assert ended(site, "kill", place), place
    site.apply()
    assert site.installed() and site.leftovers() == []


def test_a_failed_activation_does_not_fail_the_installation(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real program continues, and the installed system boots: the script runs again then."""
    monkeypatch.setenv("STAND_IN_ACTIVATION", "fail")
    assert site.apply()[-1].startswith("Install NixOS")
    assert site.installed()
    assert site.apply() == []


def test_leftovers_of_a_killed_run_are_removed_by_name(site: Site) -> None:
    """The real program always fails if there is a loader.tmp, and treats a truncated kernel as complete."""
    site.apply()
    site.sh("rm root/nix/persist/var/lib/subfloor/installed; touch root/boot/loader/loader.tmp")
    (kernel,) = site.sh("cd root/boot; ls EFI/nixos/*-bzImage.efi").split()
    site.sh(f"truncate -s -1 root/boot/{kernel}")
    boot = f"{site.root}/boot"
    removes, installs = site.apply()
    assert removes == f"Remove what an unfinished installation left in {boot}: {kernel}, loader/loader.tmp"
    assert installs.startswith("Install NixOS")
    assert site.installed()


def test_a_copy_of_the_right_length_with_other_bytes_is_replaced(site: Site) -> None:
    """A power cut may leave such a copy. Before an installation is recorded, nothing on the partition is trusted."""
    with pytest.raises(CommandFailed):
        site.apply("kill:28")
    (initrd,) = site.sh("cd root/boot; ls EFI/nixos/*-initrd.efi").split()
    site.sh(f"printf x | dd of=root/boot/{initrd} bs=1 seek=100 conv=notrunc status=none")
    assert any(initrd in says for says in site.apply())
    assert site.installed()


@pytest.mark.parametrize(
    "damage",
    [
        "rm -r root/boot/loader/entries",
        "rm root/boot/EFI/nixos/*-bzImage.efi",
        "truncate -s 10 root/boot/EFI/nixos/*-initrd.efi",
        "rm -r root/boot/EFI/systemd root/boot/EFI/BOOT",
        "rm root/nix/var/nix/profiles/system",
        "rm -r root/nix/store/*-nixos-system-*",
        "sed -i 's/init=[^ ]*/init=elsewhere/' root/boot/loader/entries/*",
    ],
)
def test_a_system_that_is_damaged_later_is_installed_again(site: Site, damage: str) -> None:
    site.apply()
    was = site.installed()
    site.sh(damage)
    if (
        "truncate" in damage
    ):  # a record says that the copies were flushed; one that is too short is no copy all the same
        site.sh("rm root/boot/EFI/nixos/*-initrd.efi")
    assert len(site.apply()) == 1
    assert site.installed() == was
    assert site.apply() == []


def test_an_installer_that_does_nothing_fails_verification(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subfloor.act.apply._PATIENCE", 0.1)
    with pytest.raises(Unverified, match="system installed under"):
        site.apply("nothing")
    site.apply()
    site.sh("rm root/boot/loader/entries/*")
    with pytest.raises(Unverified, match="boots: expected yes, found no"):
        site.apply("nothing")
    assert len(site.runs()) == 3, "and it is not run again and again"
    site.apply()
    assert site.installed()


def test_a_system_from_another_configuration_does_not_count_as_installed(site: Site) -> None:
    """Rebuilt from a configuration without a record; or another generation was chosen."""
    site.apply()
    first = site.installed()
    site.configure("{ ... }: { }\n")
    site.apply()
    site.sh("cd root/nix/var/nix/profiles; ln -sfn system-1-link system")
    assert len(site.apply()) == 1
    assert site.installed() != first


def test_a_flake_is_locked_and_installed(site: Site) -> None:
    """Its lock file is made first, so that what is hashed is what is installed."""
    site.sh(
        f"mkdir bin; printf '#!/bin/sh\\necho {{}} >{site.root}/etc/nixos/flake.lock\\n' >bin/nix; chmod +x bin/nix"
    )
    site.namespace.shell.script(f"export PATH={site.namespace.path}/bin:$PATH", timeout=10)
    with pytest.raises(Refused, match=r"there is no .*/flake.nix"):
        site.apply(flake="/etc/nixos#one")
    site.configure("{ outputs = _: { }; }\n", "flake.nix")
    assert len(site.apply(flake="/etc/nixos#one")) == 2
    assert site.runs()[-1]["arguments"][3:] == ["--flake", f"{site.root}/etc/nixos#one", "--no-write-lock-file"]
    assert site.apply(flake="/etc/nixos#one") == []
    assert len(site.apply(flake="/etc/nixos#two")) == 1, "another of its configurations"
    assert len(site.apply(flake="github:me/machines#two")) == 1
    assert site.runs()[-1]["arguments"][4] == "github:me/machines#two"


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("rm root/etc/nixos/configuration.nix", "there is no .*configuration.nix"),
        ("umount root/boot", "nothing is mounted at .*/root/boot"),
        ("umount root/boot; umount root/nix", "nothing is mounted at .*/root/boot"),
        ("umount root/boot root/nix; mkdir -p root/boot; mount -t tmpfs t root/boot", "store would be in memory"),
        ("umount -R root", "nothing is mounted at .*/root\n"),
    ],
)
def test_unusable_targets_are_refused(site: Site, before: str, words: str) -> None:
    site.sh(before)
    with pytest.raises(Refused, match=words):
        site.apply()
    assert site.runs() == []


def test_a_state_in_memory_is_refused(site: Site) -> None:
    with pytest.raises(Refused, match="/root/var/lib/x would be in memory"):
        site.apply(state="/var/lib/x")


@pytest.mark.parametrize("name", ["root two", "r*", "[r]oot"])
def test_a_root_that_nixos_install_does_not_quote_is_refused(site: Site, name: str) -> None:
    """Its cleanup would remove what the shell expands the name to: here a directory of the user beside it."""
    site.sh(f"mkdir -p '{name}'; echo precious >root/kept")
    with pytest.raises(ValueError, match="root: nixos-install cannot use"):
        site.namespace.apply({"nixos-install": {"root": f"{site.namespace.path}/{name}"}})
    assert site.sh("cat root/kept") == "precious"
    assert site.runs() == []
