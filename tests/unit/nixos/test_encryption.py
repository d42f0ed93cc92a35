"""Encrypted layouts: each generated configuration is booted, and opens everything in time; else the play is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nixos_opening import Boot
from subfloor.core.contributions import (
    Contribution,
    EncryptedDevice,
    FileSystem,
    Persisted,
    Rollback,
    SwapDevice,
    SwapFile,
)
from subfloor.nixos import encryption_checks, filesystems, stages
from subfloor.nixos.initrd import Initrd
from subfloor.nixos.layout import Device, Layout, under
from unit.nixos.test_nix import evaluate

PLAIN = Initrd()
ROOT = FileSystem("/mnt", "/dev/mapper/cryptroot", "ext4")
ESP = FileSystem("/mnt/boot", "/dev/vda1", "vfat")
CRYPTROOT = EncryptedDevice("cryptroot", "/dev/vda2")
HOME = FileSystem("/mnt/home", "/dev/mapper/crypthome", "ext4")
CRYPTHOME = EncryptedDevice("crypthome", "/dev/vda3")


def partuuid(each: Device) -> str:
    """The name by which the installed system finds a device."""
    return each.path if each.path.startswith("/dev/mapper/") else each.path.replace("/dev/", "/dev/disk/by-partuuid/")


def lies(*contributions: Contribution, below: Mapping[str, str] | None = None) -> Layout:
    return under("/mnt", contributions).stacked(below or {})


def booted(home: Path, layout: Layout, initrd: Initrd = PLAIN) -> Boot:
    """The configuration of a layout, after a boot that opened and mounted everything."""
    text = filesystems.module(layout.named(partuuid), "binds", {}, {}, (), initrd)
    found = evaluate(f"({text}) {{ }}", home)
    partitions = {partuuid(each) for each in layout.devices if not each.path.startswith("/dev/mapper/")}
    boot = Boot(found, partitions, initrd.systemd)
    boot.run()
    return boot


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nix")


@pytest.mark.parametrize("systemd", [True, False])
def test_stage_1_opens_what_the_root_is_in(home: Path, systemd: bool) -> None:
    boot = booted(home, lies(CRYPTROOT, ROOT, ESP), Initrd(systemd))
    assert boot.luks == {"cryptroot": {"device": "/dev/disk/by-partuuid/vda2"}}
    assert not boot.secrets and not list(boot.crypttab())


def test_containers_that_are_needed_later_are_opened_later(home: Path) -> None:
    boot = booted(home, lies(CRYPTROOT, CRYPTHOME, ROOT, ESP, HOME))
    assert boot.luks.keys() == {"cryptroot"}
    assert list(boot.crypttab()) == [("crypthome", "/dev/disk/by-partuuid/vda3", "-", {"luks"})]


def test_a_container_in_a_container_is_opened_in_the_same_stage(home: Path) -> None:
    inner = EncryptedDevice("inner", "/dev/mapper/cryptroot")
    boot = booted(home, lies(CRYPTROOT, inner, replace(ROOT, device="/dev/mapper/inner"), ESP))
    assert boot.opened == ["cryptroot", "inner"] and boot.luks.keys() == {"cryptroot", "inner"}


@pytest.mark.parametrize("device", ["/dev/disk/by-label/root", "/dev/disk/by-uuid/1234", "/dev/vg/root"])
def test_a_device_by_another_name_is_found_in_its_container(device: str) -> None:
    layout = lies(CRYPTROOT, replace(ROOT, device=device), ESP, below={device: "/dev/mapper/cryptroot"})
    assert stages.early(layout, PLAIN).containers == {"cryptroot"}


def test_udev_s_link_to_a_container_is_the_container() -> None:
    layout = lies(CRYPTROOT, replace(ROOT, device="/dev/disk/by-id/dm-name-cryptroot"), ESP)
    assert stages.early(layout, PLAIN).containers == {"cryptroot"}


def test_options_of_a_container_reach_both_stages(home: Path) -> None:
    first = replace(CRYPTROOT, allow_discards=True, tokens=("tpm2", "fido2"), header="/dev/vdb1")
    later = replace(CRYPTHOME, allow_discards=True, tokens=("tpm2",), header="/mnt/boot/home.header")
    boot = booted(home, lies(first, later, ROOT, ESP, replace(HOME, options=("nofail",))))
    assert boot.luks["cryptroot"] == {
        "device": "/dev/disk/by-partuuid/vda2",
        "header": "/dev/vdb1",
        "allowDiscards": True,
        "crypttabExtraOpts": ["tpm2-device=auto", "fido2-device=auto"],
    }
    ((*_, options),) = boot.crypttab()
    assert options == {"luks", "discard", "tpm2-device=auto", "header=/boot/home.header", "nofail"}


def test_older_scripts_know_no_tokens() -> None:
    with pytest.raises(ValueError, match=r"cannot open cryptroot by a token \(tpm2\).*initrd: systemd"):
        filesystems.module(lies(replace(CRYPTROOT, tokens=("tpm2",)), ROOT, ESP), "binds", {}, {}, (), Initrd(False))


def test_older_scripts_open_containers_in_the_order_of_their_names(home: Path) -> None:
    root = replace(ROOT, device="/dev/mapper/b")
    booted(home, lies(EncryptedDevice("a", "/dev/vda2"), EncryptedDevice("b", "/dev/mapper/a"), root), Initrd(False))
    layout = lies(EncryptedDevice("c", "/dev/vda2"), EncryptedDevice("b", "/dev/mapper/c"), root)
    with pytest.raises(ValueError, match="in the order of their names, so b before c"):
        filesystems.module(layout, "binds", {}, {}, (), Initrd(False))
    assert booted(home, layout).opened == ["c", "b"]


# Key files.


def test_a_key_on_the_root_opens_a_later_container(home: Path) -> None:
    boot = booted(home, lies(CRYPTROOT, replace(CRYPTHOME, key_file="/mnt/etc/home.key"), ROOT, ESP, HOME))
    assert next(boot.crypttab())[2] == "/etc/home.key"


def test_a_key_on_the_root_opens_a_container_in_stage_1(home: Path) -> None:
    nix = FileSystem("/mnt/nix", "/dev/mapper/crypthome", "ext4")
    layout = lies(CRYPTROOT, replace(CRYPTHOME, key_file="/mnt/etc/home.key"), ROOT, ESP, nix)
    assert booted(home, layout).luks["crypthome"]["keyFile"] == "/sysroot/etc/home.key"
    with pytest.raises(ValueError, match="older scripts open crypthome before they mount one; give `initrd: systemd`"):
        filesystems.module(layout, "binds", {}, {}, (), Initrd(systemd=False))


def test_the_filesystem_of_a_key_is_mounted_in_stage_1(home: Path) -> None:
    nix = FileSystem("/mnt/nix", "/dev/mapper/crypthome", "ext4")
    keys = FileSystem("/mnt/keys", "/dev/mapper/cryptkeys", "ext4")
    containers = (CRYPTROOT, EncryptedDevice("cryptkeys", "/dev/vda4"), replace(CRYPTHOME, key_file="/mnt/keys/home"))
    boot = booted(home, lies(*containers, ROOT, ESP, nix, keys))
    assert boot.luks.keys() == {"cryptroot", "cryptkeys", "crypthome"}
    assert boot.reading.is_early("/keys")


def test_a_persisted_key_is_read_in_its_store(home: Path) -> None:
    tmpfs = FileSystem("/mnt", "tmpfs", "tmpfs")
    nix = FileSystem("/mnt/nix", "/dev/mapper/cryptroot", "ext4")
    kept = Persisted("/mnt/etc/keys", "/mnt/nix/persist")
    boot = booted(home, lies(CRYPTROOT, replace(CRYPTHOME, key_file="/mnt/etc/keys/home"), tmpfs, nix, ESP, kept, HOME))
    assert next(boot.crypttab())[2] == "/nix/persist/etc/keys/home"


def test_a_key_on_a_device_is_read_there(home: Path) -> None:
    boot = booted(home, lies(replace(CRYPTROOT, key_file="/dev/disk/by-id/usb-key"), ROOT, ESP))
    assert boot.luks["cryptroot"]["keyFile"] == "/dev/disk/by-id/usb-key"


@pytest.mark.parametrize(
    ("containers", "message"),
    [
        ((replace(CRYPTROOT, key_file="/mnt/etc/key"),), "it is not encrypted"),
        ((replace(CRYPTROOT, key_file="/mnt/home/a"), replace(CRYPTHOME, key_file="/mnt/b")), "it is not encrypted"),
        ((replace(CRYPTROOT, key_file="/mnt/boot/key"),), "only once that container is open"),
        ((CRYPTROOT, replace(CRYPTHOME, key_file="/mnt/home/key")), "only once that container is open; leave it out"),
        ((CRYPTROOT, replace(CRYPTHOME, key_file="/mnt/nix/store/key")), "all users can read"),
        ((CRYPTROOT, replace(CRYPTHOME, key_file="/mnt/run/key")), "does not survive a reboot"),
        ((CRYPTROOT, replace(CRYPTHOME, key_file="/mnt/a key")), "white space"),
        ((CRYPTROOT, replace(CRYPTHOME, header="/mnt/a,b")), "commas"),
        ((CRYPTROOT, replace(CRYPTHOME, header="/tmp/header")), "does not have the header"),
        ((CRYPTROOT, replace(CRYPTROOT, device="/dev/vdb1")), "more than one task of the play opens"),
    ],
)
def test_containers_that_could_not_be_opened_are_refused(containers: tuple[EncryptedDevice, ...], message: str) -> None:
    run = FileSystem("/mnt/run", "tmpfs", "tmpfs")
    with pytest.raises(ValueError, match=message):
        filesystems.module(lies(*containers, ROOT, ESP, HOME, run), "binds", {}, {})


def test_a_key_on_a_root_that_is_rolled_back_is_refused() -> None:
    rolled = (replace(ROOT, type="btrfs"), Rollback("/dev/mapper/cryptroot", "root", "blank"))
    with pytest.raises(ValueError, match="does not survive a reboot"):
        filesystems.module(
            lies(CRYPTROOT, replace(CRYPTHOME, key_file="/mnt/etc/key"), *rolled, ESP, HOME), "binds", {}, {}
        )


def test_no_firmware_opens_a_container() -> None:
    with pytest.raises(ValueError, match="no firmware can open"):
        filesystems.module(lies(CRYPTROOT, ROOT, replace(ESP, device="/dev/mapper/cryptroot")), "binds", {}, {})


@pytest.mark.parametrize("systemd", [True, False])
def test_an_encrypted_initrd_holds_the_key(home: Path, systemd: bool) -> None:
    layout = lies(replace(CRYPTROOT, key_file="/mnt/etc/key"), ROOT)
    boot = booted(home, layout, Initrd(systemd, embeds=True))
    assert boot.secrets == {"/etc/luks/cryptroot.key": "/etc/key"}
    assert boot.luks["cryptroot"]["keyFile"] == "/etc/luks/cryptroot.key"
    (warning,) = encryption_checks.warnings(layout, Initrd(systemd, embeds=True))
    assert "pbkdf: pbkdf2" in warning
    derived = lies(replace(CRYPTROOT, key_file="/mnt/etc/key", pbkdf="pbkdf2"), ROOT)
    assert encryption_checks.warnings(derived, Initrd(systemd, embeds=True)) == ()


# Swap.

CRYPTSWAP = EncryptedDevice("cryptswap", "/dev/vda4")
SWAP = SwapDevice("/dev/mapper/cryptswap")


def test_the_swap_to_resume_from_is_opened_in_stage_1(home: Path) -> None:
    boot = booted(home, lies(CRYPTROOT, CRYPTSWAP, ROOT, ESP, SWAP))
    assert boot.found["boot"]["resumeDevice"] == "/dev/mapper/cryptswap" and "cryptswap" in boot.luks


def test_nothing_resumes_from_swap_whose_key_has_to_be_mounted(home: Path) -> None:
    boot = booted(home, lies(CRYPTROOT, replace(CRYPTSWAP, key_file="/mnt/etc/swap.key"), ROOT, ESP, SWAP))
    assert "resumeDevice" not in boot.found["boot"] and boot.luks.keys() == {"cryptroot"}


def test_swap_with_a_random_key_needs_no_container(home: Path) -> None:
    layout = lies(CRYPTROOT, ROOT, ESP, SwapDevice("/dev/vda4", random_key=True))
    boot = booted(home, layout)
    assert boot.reading.swaps[0]["randomEncryption"]["enable"] and "resumeDevice" not in boot.found["boot"]
    assert encryption_checks.warnings(layout, PLAIN) == ()


def test_a_swap_file_to_resume_from_is_in_a_container_of_stage_1(home: Path) -> None:
    file = SwapFile("/mnt/home/swap", hibernation=True)
    boot = booted(home, lies(CRYPTROOT, CRYPTHOME, ROOT, ESP, HOME, file))
    assert boot.luks.keys() == {"cryptroot", "crypthome"}
    keyed = lies(CRYPTROOT, replace(CRYPTHOME, key_file="/mnt/etc/key"), ROOT, ESP, HOME, file)
    with pytest.raises(ValueError, match="resumes from /home/swap before it mounts anything"):
        filesystems.module(keyed, "binds", {}, {})


# Warnings and labels.


def test_it_warns_of_keys_and_memory_that_anyone_can_read() -> None:
    layout = lies(replace(CRYPTHOME, key_file="/mnt/etc/key"), replace(ROOT, device="/dev/vda2"), ESP, HOME)
    assert any("is on /, which is not encrypted" in each for each in encryption_checks.warnings(layout, PLAIN))
    layout = lies(CRYPTROOT, ROOT, ESP, SwapDevice("/dev/vda4"))
    assert any("/dev/vda4 is unencrypted swap" in each for each in encryption_checks.warnings(layout, PLAIN))
    layout = lies(replace(CRYPTROOT, key_file="/tmp/key"), ROOT, ESP)
    assert any("outside of the install root" in each for each in encryption_checks.warnings(layout, PLAIN))
    assert encryption_checks.warnings(lies(CRYPTROOT, CRYPTHOME, ROOT, ESP, HOME, SWAP, CRYPTSWAP), PLAIN) == ()


def test_a_container_and_its_content_must_not_have_one_label() -> None:
    with pytest.raises(ValueError, match=r"/dev/vda2 and /dev/mapper/cryptroot have the same label, root"):
        encryption_checks.check_labels(lies(replace(CRYPTROOT, label="root"), replace(ROOT, label="root"), ESP))
    encryption_checks.check_labels(lies(replace(CRYPTROOT, label="cryptroot"), replace(ROOT, label="root"), ESP))


# Any layout: it boots, or it is refused.

_PLACES = ("/mnt", "/mnt/nix", "/mnt/home", "/mnt/data", "/mnt/home/ada")
_KEYS = (None, None, "/dev/vdk", "/mnt/etc/key", "/mnt/nix/persist/key", "/mnt/home/key", "/mnt/data/key", "/tmp/key")


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    names = [f"c{number}" for number in range(draw(st.integers(0, 4)))]
    devices: list[str] = []
    found: list[Contribution] = [ESP] if draw(st.booleans()) else []
    for number, name in enumerate(names):
        device = draw(st.sampled_from([f"/dev/vdb{number}", *(f"/dev/mapper/{each}" for each in names[:number])]))
        container = EncryptedDevice(name, device, draw(st.sampled_from(_KEYS)))
        found.append(replace(container, tokens=("tpm2",)) if draw(st.booleans()) else container)
        devices.append(f"/dev/mapper/{name}")
    for number, path in enumerate(draw(st.sets(st.sampled_from(_PLACES))) | {"/mnt"}):
        device = draw(st.sampled_from([f"/dev/vdc{number}", *devices]))
        options = draw(st.sampled_from([(), ("nofail",)]))
        found.append(FileSystem(path, device, "ext4", options, needed_for_boot=draw(st.booleans())))
    if draw(st.booleans()):
        found.append(Persisted("/mnt/etc", "/mnt/nix/persist"))
    for number in range(draw(st.integers(0, 2))):
        found.append(SwapDevice(draw(st.sampled_from([f"/dev/vdd{number}", *devices])), label=""))
    return lies(*found)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layout=layouts(), systemd=st.booleans(), grub=st.booleans())
def test_every_layout_boots_or_is_refused(home: Path, layout: Layout, systemd: bool, grub: bool) -> None:
    place = layout.holder("/boot")
    initrd = Initrd(systemd, embeds=bool(grub and place and layout.containers(place.device)))
    try:
        boot = booted(home, layout, initrd)
    except ValueError:
        return
    assert initrd.embeds or not boot.secrets, "a key in an initrd that anyone can read"
    assert {*boot.luks, *(name for name, *_ in boot.crypttab())} == {each.name for each in layout.encrypted}


def test_a_layout_without_containers_has_no_such_options(home: Path) -> None:
    text = filesystems.module(lies(replace(ROOT, device="/dev/vda2"), ESP), "binds", {}, {})
    found: dict[str, Any] = evaluate(f"({text}) {{ }}", home)
    assert found.keys() == {"fileSystems", "swapDevices"}
