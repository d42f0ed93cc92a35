"""The virtual machine without one: what it is made from, how it is found, and how commands travel.

What only a boot can show is in tests/vm/test_boot.py.
"""

from __future__ import annotations

import gzip
import lzma
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from subfloor import rehearse
from subfloor.rehearse import accel, agent, bzimage, initrd, kernel, places, qemu, scripts

GIB = 1 << 30
KERNEL = rehearse.Kernel(Path("/k/boot/vmlinuz-6.1"), Path("/k/lib/modules/6.1"))
WIRING = qemu.Wiring(Path("/w/console"), (Path("/w/a,b.raw"), Path("/w/n.raw")), 7, "tcg")
DISKS = (rehearse.Disk(GIB, sector=4096, serial="ABC"), rehearse.Disk(GIB, "nvme", optimal_io=65536))


# --- values


def test_disks_are_named_as_the_kernel_names_them() -> None:
    disks = [rehearse.Disk(GIB), rehearse.Disk(GIB, "nvme"), rehearse.Disk(GIB), rehearse.Disk(GIB, "nvme")]
    assert rehearse.device_names(disks) == ("/dev/vda", "/dev/nvme0n1", "/dev/vdb", "/dev/nvme1n1")


@pytest.mark.parametrize("size, sector", [(0, 512), (-512, 512), (1000, 512), (4096 + 512, 4096)])
def test_a_disk_without_size_or_with_half_a_sector_is_refused(size: int, sector: int) -> None:
    with pytest.raises(ValueError, match="multiple of"):
        rehearse.Disk(size, sector=sector)  # type: ignore[arg-type]


@pytest.mark.parametrize("serial", ["x" * 21, "a b", "a,b", "a=b"])
def test_serial_numbers_that_qemu_would_cut_or_misread(serial: str) -> None:
    with pytest.raises(ValueError, match="serial"):
        rehearse.Disk(GIB, serial=serial)


def test_a_guest_needs_memory() -> None:
    with pytest.raises(ValueError, match="512 or more"):
        rehearse.Guest(KERNEL, memory_mib=64)


# --- the initrd


def cpio_entries(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Path -> (mode, content) of a newc archive, read by its specification."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size - 1].decode()
        start = -(-(at + 110 + name_size) // 4) * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, data[start : start + size])
        at = -(-(start + size) // 4) * 4


def test_an_initrd_contains_the_given_files() -> None:
    modules = {"kernel/b.ko": b"B", "kernel/a-x.ko.xz": lzma.compress(b"A")}
    entries = cpio_entries(gzip.decompress(initrd.build(b"busybox", modules, {"/init": b"#!/bin/busybox sh\n"})))
    assert entries["bin/busybox"] == (0o100755, b"busybox")
    assert entries["init"] == (0o100755, b"#!/bin/busybox sh\n")
    assert entries["proc"] == (0o040755, b"")
    loaded = [content for name, (_, content) in sorted(entries.items()) if name.startswith("modules/")]
    assert loaded == [b"B", b"A"]


def test_an_initrd_is_the_same_each_time() -> None:
    assert initrd.build(b"b", {}, {}) == initrd.build(b"b", {}, {})


DEP = """\
kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko kernel/fs/netfs/netfs.ko
kernel/net/9p/9pnet_virtio.ko: kernel/drivers/virtio.ko kernel/drivers/virtio_ring.ko kernel/net/9p/9pnet.ko
kernel/net/9p/9pnet.ko:
kernel/fs/netfs/netfs.ko:
kernel/drivers/virtio.ko: kernel/drivers/virtio_ring.ko
kernel/drivers/virtio_ring.ko:
"""


def test_modules_come_after_what_they_need() -> None:
    order = initrd.load_order(DEP, "kernel/fs/overlayfs/overlay.ko\n", ["9p", "9pnet_virtio", "overlay"])
    names = [initrd.module_name(path) for path in order]
    assert sorted(names) == ["9p", "9pnet", "9pnet_virtio", "netfs", "virtio", "virtio_ring"]
    for line in DEP.splitlines():
        path, _, needs = line.partition(":")
        assert all(order.index(each) < order.index(path) for each in needs.split())


def test_a_module_that_the_kernel_lacks_is_named() -> None:
    with pytest.raises(LookupError, match="virtio_console"):
        initrd.load_order(DEP, "", ["9p", "virtio_console"])


def test_modules_packed_in_a_way_python_cannot_read() -> None:
    assert initrd.plain("a.ko.gz", gzip.compress(b"A")) == b"A"
    with pytest.raises(ValueError, match=r"a\.ko\.zst"):
        initrd.plain("a.ko.zst", b"?")


def test_the_scripts_are_sound_shell() -> None:
    for script in (scripts.init("6.1"), scripts.stage2(rehearse.Guest(KERNEL, DISKS), ("/p/my python", "-I"))):
        subprocess.run(["sh", "-n"], input=script, check=True)
    assert b"'/p/my python' -I /run/subfloor/agent.py" in script
    assert b"nvme virtio_blk" in script


# --- the kernel's image


def bzimage_with(payload: bytes) -> bytes:
    image = bytearray(2 * 512)
    image[0x1F1] = 1
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", image, 0x248, 16, len(payload))
    return bytes(image) + b"\0" * 16 + payload


PVH = b"\x7fELF" + b"." * 100 + struct.pack("<3I4s", 4, 4, 18, b"Xen\0")


@pytest.mark.parametrize("packed", [lzma.compress(PVH), gzip.compress(PVH)], ids=["xz", "gzip"])
def test_a_kernel_is_unpacked(packed: bytes) -> None:
    assert bzimage.vmlinux(bzimage_with(packed + b"\1\2\3\4")) == PVH


@pytest.mark.parametrize(
    "image",
    [b"", b"MZ" * 400, bzimage_with(b"?"), bzimage_with(lzma.compress(b"\x7fELF no note"))],
    ids=["empty", "not a kernel", "unknown packing", "no PVH entry"],
)
def test_a_kernel_that_cannot_be_unpacked_is_left_packed(image: bytes) -> None:
    assert bzimage.vmlinux(image) is None


# --- QEMU's arguments


def after(argv: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(argv) if name == option]


def test_qemu_gets_each_disk() -> None:
    argv = qemu.kernel_argv(rehearse.Guest(KERNEL, DISKS), KERNEL.image, Path("/w/initrd"), WIRING)
    drives = [each for each in after(argv, "-drive") if "id=disk" in each]
    assert "file=/w/a,,b.raw," in drives[0]
    devices = after(argv, "-device")
    assert "virtio-blk-pci,drive=disk0,serial=ABC,logical_block_size=4096,physical_block_size=4096" in devices
    assert any(each.startswith("nvme,drive=disk1,serial=subfloor1") and "opt_io_size=65536" in each for each in devices)


def test_shared_directories_are_read_only() -> None:
    argv = qemu.kernel_argv(
        rehearse.Guest(KERNEL), KERNEL.image, Path("/w/initrd"), qemu.Wiring(Path("/c"), (), 7, "kvm")
    )
    shares = after(argv, "-fsdev")
    assert len(shares) == 2
    assert all("readonly=on" in share for share in shares)
    assert after(argv, "-accel") == ["kvm"]
    assert after(argv, "-nic") == []


def test_firmware_boots_the_disks_in_their_order() -> None:
    argv = qemu.disk_argv(DISKS, 1024, 1, WIRING)
    assert "-kernel" not in argv
    assert [each[-1] for each in after(argv, "-device") if "bootindex=" in each] == ["0", "1"]


def test_a_guest_that_boots_by_firmware_may_have_shares_too() -> None:
    argv = qemu.disk_argv(DISKS, 1024, 1, WIRING, {"root": Path("/")})
    (share,) = after(argv, "-fsdev")
    assert share.startswith("local,id=root,path=/,") and "readonly=on" in share
    assert after(qemu.disk_argv(DISKS, 1024, 1, WIRING), "-fsdev") == []


# --- finding things on this host


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return places.cache()


def make_kernel(root: Path, release: str) -> Path:
    modules = root / "lib/modules" / release
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text("")
    (modules / "modules.builtin").write_text("".join(f"kernel/{name}.ko\n" for name in initrd.EARLY_MODULES))
    (root / "boot").mkdir(exist_ok=True)
    image = root / "boot" / f"vmlinuz-{release}"
    image.write_bytes(b"kernel")
    return image


def test_a_kernel_given(tmp_path: Path) -> None:
    image = make_kernel(tmp_path, "6.1-x")
    assert rehearse.find_kernel(image) == rehearse.Kernel(image, tmp_path / "lib/modules/6.1-x")


def test_a_kernel_given_without_its_modules(tmp_path: Path) -> None:
    (image := tmp_path / "vmlinuz-6.1-y").write_bytes(b"kernel")
    with pytest.raises(rehearse.NoKernel, match=r"no modules to start a guest with.*\n.*lib/modules/RELEASE"):
        kernel.find(image)
    with pytest.raises(rehearse.NoKernel, match="cannot be read"):
        kernel.find(tmp_path / "nothing")


def test_the_newest_fetched_kernel_is_taken(cache: Path) -> None:
    for release in ("6.1.0-9-amd64", "6.1.0-56-amd64"):
        make_kernel(cache / "kernel" / release, release)
    found = kernel.cached()
    assert found is not None
    assert found.release == "6.1.0-56-amd64"


def test_an_unpacked_kernel_is_kept(cache: Path, tmp_path: Path) -> None:
    image = make_kernel(tmp_path, "6.1")
    found = kernel.given(image)
    assert kernel.quick_start(found) == image
    image.write_bytes(bzimage_with(lzma.compress(PVH)))
    quick = kernel.quick_start(found)
    assert quick.read_bytes() == PVH
    assert kernel.quick_start(found) == quick


def make_tool(directory: Path, name: str, script: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


def test_apt_that_fails_is_quoted(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("apt-get", "apt-cache"):
        make_tool(tmp_path / "bin", name, "echo 'E: no network today' >&2; exit 100")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(rehearse.NoKernel) as caught:
        kernel.fetch()
    assert "E: no network today" in str(caught.value)
    assert "apt-get update" in caught.value.advice
    assert not list(cache.glob("fetching-*"))


def test_a_tool_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(rehearse.NoTool) as caught:
        places.tool("no-such-tool")
    assert "apt-get install no-such-tool" in caught.value.advice
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(rehearse.NoTool) as caught:
        places.tool(qemu.QEMU)
    assert "apt-get install qemu-system-x86" in caught.value.advice


def test_the_accelerator_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBFLOOR_ACCEL", "tcg")
    assert accel.choose() == "tcg"
    assert accel.choose("kvm") == "kvm"
    monkeypatch.setenv("SUBFLOOR_ACCEL", "warp")
    with pytest.raises(rehearse.VmError, match="SUBFLOOR_ACCEL=warp"):
        accel.choose()


def test_whether_kvm_works_is_found_out_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def probe() -> bool:
        asked.append("once")
        return False

    monkeypatch.delenv("SUBFLOOR_ACCEL", raising=False)
    monkeypatch.setattr(accel, "_probe", probe)
    monkeypatch.setattr("os.access", lambda *_: True)
    assert [accel.choose(), accel.choose()] == ["tcg", "tcg"]
    assert len(asked) == 1


# --- the wire, with both its ends on this host


def test_frames_survive_any_cut() -> None:
    stream = agent.frame(agent.OUTPUT, b"abc") + agent.frame(agent.HELLO) + agent.frame(agent.EXIT, b"0")
    whole = [(agent.OUTPUT, b"abc"), (agent.HELLO, b""), (agent.EXIT, b"0")]
    for size in range(1, len(stream) + 1):
        frames = agent.Frames()
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [each for piece in pieces for each in frames.feed(piece)] == whole


@pytest.fixture
def near(tmp_path: Path) -> Iterator[rehearse.Machine]:
    """A machine which is only the agent, on this host."""
    ours, theirs = socket.socketpair()
    code = "import sys; from subfloor.rehearse import agent; agent.serve(agent.Port(int(sys.argv[1])))"
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
        )
    machine = rehearse.Machine(process, ours, tmp_path / "console", {})
    try:
        machine.wait_for_agent(20)
        yield machine
    finally:
        machine.close()


def test_commands_one_after_another(near: rehearse.Machine) -> None:
    done = near.run(["sh", "-c", "cat; echo bad >&2; exit 3"], stdin=b"x" * 300_000)
    assert (done.returncode, len(done.stdout), done.stderr) == (3, 300_000, b"bad\n")
    assert near.run(["true"], stdin=b"x" * 300_000).returncode == 0
    assert near.run(["sh", "-c", "kill -15 $$"]).returncode == -15
    assert near.run(["/no/such"]).returncode == agent.NOT_STARTED


def test_nothing_is_left_open(near: rehearse.Machine) -> None:
    def descriptors() -> int:
        return len(near.run(["sh", "-c", "ls /proc/$PPID/fd"]).stdout.split())

    before = descriptors()
    near.run(["/no/such"])
    near.run(["sh", "-c", "sleep 0.2 & echo done"])
    near.run(["true"], stdin=b"unread")
    deadline = time.monotonic() + 60  # what runs on in the background keeps its pipes until it ends
    while descriptors() != before:
        assert time.monotonic() < deadline, (descriptors(), before)
        time.sleep(0.1)


def test_a_command_past_its_deadline(near: rehearse.Machine) -> None:
    began = time.monotonic()
    with pytest.raises(rehearse.CommandTimeout, match=r"did not end in the guest within 10 s") as caught:
        near.run(["sh", "-c", "echo on it; sleep 90 & wait"], timeout=10)
    assert caught.value.stdout == b"on it\n"
    assert time.monotonic() - began < 60
    assert near.run(["true"]).returncode == 0


def test_a_machine_that_is_gone(near: rehearse.Machine) -> None:
    near.console.write_bytes(b"x" * 9000 + b"Kernel panic")
    near.cut_power()
    with pytest.raises(rehearse.GuestLost, match="Kernel panic") as caught:
        near.run(["true"])
    assert len(caught.value.console) <= 4000


def test_the_agent_ends_when_the_host_hangs_up(near: rehearse.Machine) -> None:
    near.run(["true"])
    near.power_off(timeout=60)


def test_on_nixos_the_advice_does_not_name_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package brings what a rehearsal needs, and names it by variables of the environment."""
    marker = tmp_path / "NIXOS"
    marker.touch()
    monkeypatch.setattr(places, "NIXOS", marker)
    monkeypatch.setattr(kernel, "NIXOS", marker)
    with pytest.raises(rehearse.VmError) as missing:
        places.tool("no-such-tool")
    with pytest.raises(rehearse.VmError) as unfetched:
        kernel.fetch()
    for raised in (missing, unfetched):
        assert "apt" not in str(raised.value)
    monkeypatch.setenv("SUBFLOOR_NO_SUCH_TOOL", "/nix/store/x/bin/no-such-tool")
    assert places.tool("no-such-tool") == Path("/nix/store/x/bin/no-such-tool")
