"""From what probes print to what was seen: recorded on real disks, spoilt in every way, and made up at random."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fuzzing import fuzzed
from probe_records import RECORDS, lines_of, looked, outputs_of
from subfloor.core.errors import LookFailed
from subfloor.core.machine import AnySubject, Output
from subfloor.observe import mountinfo
from subfloor.observe.disk import ENDS, SAMPLE, SAMPLE_PLACES, Content, Disk, DiskState, Missing
from subfloor.observe.hidden import Hidden
from subfloor.observe.memory import Memory
from subfloor.observe.mount import Mount, UnderlyingMount
from subfloor.observe.path import Path as APath
from subfloor.observe.path import TextFile
from subfloor.observe.swap import Swap
from subfloor.observe.tag import Tag
from subfloor.observe.tool import Privilege, Tool
from subfloor.storage.sizes import MIB

FACTS, HEAD, TAIL, SIGNATURES, VOLUMES, MOUNTS, SWAPS, ZEROS, ELSEWHERE = range(9)
_FILES = sorted(RECORDS.glob("*.yml"))


def load(name: str) -> dict[str, Any]:
    record: dict[str, Any] = yaml.safe_load((RECORDS / f"{name}.yml").read_text("utf-8"))
    return record


def disk_of(record: Mapping[str, Any], **other: Output) -> DiskState:
    """The recorded disk, with other outputs in the place of some."""
    outputs = list(outputs_of(record))
    for name, output in other.items():
        outputs[globals()[name]] = output
    found = looked(Disk(record["path"]), tuple(outputs))
    assert isinstance(found, DiskState)
    return found


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_recorded_probe_output_is_parsed_to_the_expected_state(path: Path) -> None:
    record = load(path.stem)
    assert lines_of(disk_of(record)) == record["sees"]


@given(end=st.sampled_from(["HEAD", "TAIL"]), at=st.integers(0, ENDS - 1), byte=st.integers(1, 255))
def test_a_single_byte_at_an_end_of_a_disk_counts_as_data(end: str, at: int, byte: int) -> None:
    found = disk_of(load("blank"), **{end: Output(bytes(at) + bytes([byte]) + bytes(ENDS - at - 1))})
    assert found.signatures and "blank" not in found.describe()


@pytest.mark.parametrize("what", ["ends", "samples"])
def test_anything_but_zeros_between_the_ends_counts_as_data(what: str) -> None:
    said = outputs_of(load("blank"))[ZEROS].text
    digest = next(line for line in said.splitlines() if line.startswith(what))
    found = disk_of(load("blank"), ZEROS=Output(said.replace(digest, f"{what} {'0' * 64}  -").encode()))
    assert found.signatures == ("unknown data",)
    assert "200 samples of 4 KiB" in found.describe()


KIB, GIB = MIB >> 10, MIB << 10


def places(size: int) -> list[tuple[int, int]]:
    """What is read between the ends of a disk, start and size in bytes."""
    script = f"pages=$1\n{SAMPLE_PLACES}\nplaces"
    ran = subprocess.run(["sh", "-euc", script, "places", str(size // SAMPLE)], capture_output=True, check=True)
    lines = (line.split() for line in ran.stdout.splitlines())
    return [(int(at) * SAMPLE, int(count) * SAMPLE) for at, count in lines]


@pytest.mark.parametrize("size", [96 * KIB, 2 * MIB, 2 * MIB + 4096, 3 * MIB, 3 * MIB + 64 * KIB, 67 * MIB, 4 * GIB])
def test_zeros_are_expected_for_exactly_the_bytes_that_were_read(size: int) -> None:
    read = places(size)
    assert all(start >= MIB and start + length <= size - MIB for start, length in read)
    facts = outputs_of(load("blank"))[FACTS].text.replace("size 1048576", f"size {size // 512}")
    digests = [sha256(bytes(length)).hexdigest() for length in (2 * min(MIB, size), sum(each for _, each in read))]
    said = "ends {}  -\nsamples {}  -\n".format(*digests)
    assert disk_of(load("blank"), FACTS=Output(facts.encode()), ZEROS=Output(said.encode())).signatures == ()


SUPERBLOCKS = {"luks": 0, "lvm": 512, "ext4": 1080, "swap": 4086, "iso9660": 32769, "btrfs": 65600, "reiserfs": 65588}


@pytest.mark.parametrize("kind", SUPERBLOCKS)
def test_content_that_begins_at_one_of_the_first_mib_is_found(kind: str) -> None:
    read = places(400 * GIB)
    wanted = [at * MIB + SUPERBLOCKS[kind] for at in range(1, 64)]
    assert not [at for at in wanted if not any(start <= at < start + length for start, length in read)]


@pytest.mark.parametrize(
    ("ends", "samples", "signatures"),
    [("zeros", "zeros", ()), ("data", "zeros", ("unknown data",)), ("zeros", "data", ("unknown data",))],
)
def test_zeros_are_compared_with_perl_if_it_is_installed(ends: str, samples: str, signatures: tuple[str, ...]) -> None:
    found = disk_of(load("blank"), ZEROS=Output(f"ends {ends}\nsamples {samples}\n".encode()))
    assert found.signatures == signatures


@pytest.mark.parametrize(
    "said", ["", "ends 1  -\n", "samples\n", "unreadable yes\n", "ends zeros\n", "ends zeros\nsamples\n"]
)
def test_a_disk_that_was_read_short_is_not_blank(said: str) -> None:
    with pytest.raises(LookFailed):
        disk_of(load("blank"), ZEROS=Output(said.encode()))


# A probe that fails must never make a full disk look blank.

FULL = [path.stem for path in _FILES if path.stem != "blank"]


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("probe", ["HEAD", "TAIL", "SIGNATURES", "VOLUMES", "MOUNTS", "ZEROS", "ELSEWHERE"])
@pytest.mark.parametrize("status", [1, 2, 4, 8, 74, 126, 127, 137])
def test_a_probe_that_fails_is_a_failed_look(name: str, probe: str, status: int) -> None:
    for said in (b"", outputs_of(load(name))[globals()[probe]].stdout):
        with pytest.raises(LookFailed):
            disk_of(load(name), **{probe: Output(said, status)})


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("probe", ["HEAD", "TAIL", "SIGNATURES", "VOLUMES", "MOUNTS"])
def test_a_probe_without_output_is_a_failed_look(name: str, probe: str) -> None:
    with pytest.raises(LookFailed):
        disk_of(load(name), **{probe: Output(b"")})


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("probe", ["HEAD", "TAIL"])
def test_an_end_that_was_read_short_is_a_failed_look(name: str, probe: str) -> None:
    whole = outputs_of(load(name))[globals()[probe]].stdout
    for length in (512, 4096, len(whole) - 1):
        with pytest.raises(LookFailed, match="cannot be read"):
            disk_of(load(name), **{probe: Output(whole[:length])})


@pytest.mark.parametrize("status", ["1", "4", "127", "unreadable", "0, not understood", ""])
def test_a_partition_that_blkid_cannot_read_is_a_failed_look(status: str) -> None:
    record = load("mbr-with-logical-partitions-case-26")
    said = outputs_of(record)[VOLUMES].text.replace("5.status 0", f"5.status {status}")
    with pytest.raises(LookFailed, match=r"content of partition 5 of .* cannot be read"):
        disk_of(record, VOLUMES=Output(said.encode()))


def test_partitions_that_cannot_be_listed_are_a_failed_look() -> None:
    with pytest.raises(LookFailed, match="cannot be listed, though it has a dos partition table"):
        disk_of(load("mbr-with-logical-partitions-case-26"), VOLUMES=Output(b"partx 1\n"))


def test_partitions_of_a_gpt_that_cannot_be_listed_are_not_known_to_be_empty() -> None:
    seen = disk_of(load("ours"), VOLUMES=Output(b"partx 1\n"))
    assert [str(volume.content) for volume in seen.volumes] == ["not known yet", "not known yet"]
    assert all(volume.known for volume in seen.volumes)


@pytest.mark.parametrize("program", ["wipefs", "blkid"])
def test_a_missing_program_is_named(program: str) -> None:
    probe = {"wipefs": "SIGNATURES", "blkid": "VOLUMES"}[program]
    with pytest.raises(LookFailed, match=f"{program} is missing\n.*install util-linux"):
        disk_of(load("ours"), **{probe: Output(b"", 127)})


def test_warnings_among_the_signatures_are_a_failed_look() -> None:
    said = b"wipefs: warning: something\n" + outputs_of(load("whole-ext4-case-27"))[SIGNATURES].stdout
    with pytest.raises(LookFailed, match="not understood"):
        disk_of(load("whole-ext4-case-27"), SIGNATURES=Output(said))


def test_a_user_without_root_gets_a_message_that_says_so() -> None:
    record = load("ours")
    facts = outputs_of(record)[FACTS].text.replace("uid 0", "uid 1000")
    with pytest.raises(LookFailed, match="reading a disk needs root"):
        disk_of(record, FACTS=Output(facts.encode()), HEAD=Output(b"", 1))


def test_a_partition_with_two_signatures_is_ambivalent_case_28() -> None:
    said = b"partx 0\n1.start 2048\n1.size 81920\n1.status 8\n"
    assert disk_of(load("ours"), VOLUMES=Output(said)).volumes[0].content == Content("ambivalent")


@pytest.mark.parametrize("sector", ["0", "-512", "7", "x", "²"])
def test_an_impossible_sector_size_is_a_failed_look(sector: str) -> None:
    facts = outputs_of(load("ours"))[FACTS].text.replace("sector 512", f"sector {sector}")
    with pytest.raises(LookFailed):
        disk_of(load("ours"), FACTS=Output(facts.encode()))


def test_a_cd_rom_and_a_drive_without_a_medium_need_not_be_readable_case_21() -> None:
    failed = Output(b"", 1)
    facts = outputs_of(load("ours"))[FACTS].text
    rom, empty = facts.replace("kind disk", "kind rom"), facts.replace("size 1048576\n", "size 0\n", 1)
    for said in (rom, empty):
        seen = disk_of(load("ours"), FACTS=Output(said.encode()), HEAD=failed, TAIL=failed, SIGNATURES=failed)
        assert seen.kind == "rom" or not seen.size


def test_a_missing_disk_names_the_others() -> None:
    facts = Output(b"uid 0\npresent /dev/sda (931 GiB Disk With Spaces 42)\n")
    outputs = (
        facts,
        *([Output(b"", 1)] * 4),
        Output(b"21 1 254:0 / / rw - ext4 /dev/vda rw\n"),
        *([Output(b"")] * 3),
    )
    assert looked(Disk("/dev/x"), outputs) == Missing()
    assert looked(Disk("/dev/x"), outputs).present == ("/dev/sda (931 GiB Disk With Spaces 42)",)


# Labels: whatever somebody wrote there is no line, key or status of ours. (case 71)


@pytest.mark.parametrize(
    ("encoded", "label"),
    [
        ("two\\x20words", "two words"),
        ("a=b=", "a=b="),
        ("caf\\xe9", "caf\udce9"),
        ("ü€", "ü€"),
        ("\\x5cx20", "\\x20"),
        ("x\u2028partx 1", "x\u2028partx 1"),
        ("\u3000x", "\u3000x"),
    ],
)
def test_labels_are_read_unchanged_case_71(encoded: str, label: str) -> None:
    said = f"partx 0\n1.start 2048\n1.size 81920\n1.status 0\n1.ID_FS_TYPE ext4\n1.ID_FS_LABEL_ENC {encoded}\n"
    assert disk_of(load("ours"), VOLUMES=Output(said.encode())).volumes[0].content == Content("ext4", label)


# Uses.


def _users(mounts: bytes = b"", swaps: bytes = b"", facts: bytes = b"") -> list[str]:
    root = b"21 1 254:0 / / rw - ext4 /dev/vda rw\n"
    record = load("ours")
    other = Output(outputs_of(record)[FACTS].stdout + facts)
    seen = disk_of(record, MOUNTS=Output(root + mounts), SWAPS=Output(b"Filename Type\n" + swaps), FACTS=other)
    assert seen.is_busy == bool(seen.busy)
    return list(seen.busy)


def _partition(number: int) -> tuple[str, str]:
    """The node and the device number of a partition of the recorded disk."""
    lines = outputs_of(load("ours"))[FACTS].text.splitlines()
    found = next(line.split() for line in lines if line.startswith(f"partition {number} "))
    return found[5], found[4]


def test_mounts_are_identified_by_device_number_case_32() -> None:
    node, device = _partition(1)
    once = f"30 21 {device} / /boot rw - vfat /dev/another-name rw\n"
    twice = f"31 30 {device} /sub /boot\\040two rw - vfat none rw\n"
    assert _users(once.encode()) == [f"{node} mounted at /boot"]
    assert _users((once + twice).encode()) == [f"{node} mounted at /boot", f"{node} mounted at /boot two"]


def test_a_btrfs_is_identified_by_its_source_and_its_other_devices_by_sysfs() -> None:
    node, _ = _partition(1)
    other, _ = _partition(2)
    mounts = f"30 21 0:44 /@ /home rw - btrfs {node} rw\n".encode()
    assert _users(mounts, facts=f"btrfs {other} 1234\n".encode()) == [
        f"{node} mounted at /home",
        f"{other} part of the mounted btrfs 1234",
    ]


def test_active_swap_holders_and_loop_devices() -> None:
    node, _ = _partition(2)
    assert _users(swaps=f"{node}  partition 1 0 -2\n".encode()) == [f"{node} active as swap"]
    assert _users(facts=f"holder {node} dm-3\n".encode()) == [f"{node} held by dm-3"]
    assert _users(facts=f"loop {node} loop7\n".encode()) == [f"{node} behind loop7"]
    assert _users(facts=b"loop /var/lib/an image.img loop7\n") == []


def test_a_stray_partition_in_use_keeps_the_disk_busy_case_54() -> None:
    record = load("stray-partitions-case-54")
    line = next(each for each in outputs_of(record)[FACTS].text.splitlines() if each.startswith("partition 1 "))
    _, _, _, _, device, node = line.split()
    mounts = f"21 1 254:0 / / rw - ext4 /dev/vda rw\n30 21 {device} / /x rw - vfat x rw\n"
    seen = disk_of(record, MOUNTS=Output(mounts.encode()))
    assert seen.in_use and seen.busy == (f"mounted at /x (as {node}, which is not in its table)",)


# Anything at all.

SUBJECTS: tuple[AnySubject, ...] = (
    Disk("/dev/x"),
    Mount("/x"),
    UnderlyingMount("/x"),
    APath("/x"),
    TextFile("/x"),
    Hidden("/x", "/y"),
    Swap("/dev/x"),
    Tag("LABEL=x"),
    Memory(),
    Tool("x"),
    Privilege(),
)
words = st.sampled_from(
    [
        *(b"node /dev/x", b"uid 0", b"size 8", b"sector 512", b"kind disk", b"partition 1 2 3 8:1 /dev/x1", b"partx 0"),
        *(b"1.start 1", b"1.size 1", b"1.status 0", b"1.ID_FS_TYPE ext4", b"x.y z", b"1 1 8:1 / / rw - a b c"),
        *(
            b'{"signatures": []}',
            b'{"signatures": [1]}',
            b"[]",
            b"null",
            b"[" * 2000,
            b"DEVNAME=/dev/x",
            b"41ed 0 r 0 r",
        ),
    ]
)
bodies = st.binary(max_size=200) | st.lists(words | st.binary(max_size=20), max_size=12).map(b"\n".join)
anything = st.builds(Output, bodies, st.sampled_from([0, 0, 0, 1, 2, 8, 127]))


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: type(subject).__name__)
@fuzzed(80)
@given(data=st.data())
def test_random_output_is_parsed_or_is_a_failed_look(subject: AnySubject, data: st.DataObject) -> None:
    outputs = tuple(data.draw(anything) for _ in subject.probes())
    with contextlib.suppress(LookFailed):
        looked(subject, outputs)


@pytest.mark.parametrize("name", FULL)
@fuzzed(25)
@given(garbage=anything, probe=st.sampled_from(["SIGNATURES", "VOLUMES", "HEAD", "TAIL"]))
@example(garbage=Output(b"[]"), probe="SIGNATURES")
@example(garbage=Output(b"{}"), probe="SIGNATURES")
@example(garbage=Output(b"null"), probe="SIGNATURES")
@example(garbage=Output(b'{"signatures": null}'), probe="SIGNATURES")
def test_no_garbage_makes_a_full_disk_look_blank(name: str, garbage: Output, probe: str) -> None:
    if garbage.stdout == b'{"signatures": []}':
        return  # that is an answer
    try:
        seen = disk_of(load(name), **{probe: garbage})
    except LookFailed:
        return
    assert seen.table or seen.signatures


@fuzzed(100)
@given(
    flips=st.lists(st.tuples(st.sampled_from([HEAD, TAIL]), st.integers(0, 65535), st.binary(min_size=1)), max_size=5)
)
def test_a_disk_with_flipped_bytes_is_not_blank(flips: list[tuple[int, int, bytes]]) -> None:
    record = load("ours")
    ends = {probe: bytearray(outputs_of(record)[probe].stdout) for probe in (HEAD, TAIL)}
    for probe, at, data in flips:
        ends[probe][at : at + len(data)] = data[: 65536 - at]
    seen = disk_of(record, HEAD=Output(bytes(ends[HEAD])), TAIL=Output(bytes(ends[TAIL])))
    assert seen.table or seen.signatures or seen.volumes


def test_a_mount_through_a_link_counts_for_the_device() -> None:
    """busybox's mount, which NixOS's first stage uses, gives the kernel the link itself."""
    listed = b"24 1 254:3 / /nix rw,noatime - ext4 /dev/disk/by-label/nixos rw\n@ /dev/disk/by-label/nixos /dev/vda3\n"
    (mount,) = mountinfo.parse(listed)
    assert (mount.path, mount.source) == ("/nix", "/dev/vda3")
