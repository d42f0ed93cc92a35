"""What comes from outside and is parsed: right, or an error in words; never a traceback, never a hang.

Made up with the form in mind, so that it gets past the first check: lines as kernels and tools print
them, tables whose checksums hold. What is made up byte by byte is in test_probes and test_playbook_fuzz.
"""

from __future__ import annotations

import contextlib
import functools
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from disk_values import nothing_left
from fuzzing import fuzzed
from places import ROOT
from probe_records import RECORDS, outputs_of
from subfloor import playbook
from subfloor.act.duplicate_names import refuse_duplicate_names
from subfloor.act.host import Host
from subfloor.act.look import _parsed, split
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine, subjects
from subfloor.core.errors import LookFailed, PluginError, Unreachable
from subfloor.core.machine import Machine, Output
from subfloor.core.outcome import HostReport
from subfloor.observe import mountinfo
from subfloor.observe.disk import Disk, DiskState
from subfloor.observe.mount import Mount, UnderlyingMount
from subfloor.observe.swap import Swap, SwapState
from subfloor.playbook import inventory
from subfloor.playbook.inventory import LOCALHOST
from subfloor.playbook.positions import PlaybookError
from subfloor.playbook.registry import Registry
from subfloor.playbook.variables import extra_vars
from subfloor.report.disk import picture
from subfloor.report.json import dumps
from subfloor.report.run import Run
from subfloor.report.style import Style
from subfloor.storage import gpt
from subfloor.storage.devices import device

HEAD, TAIL, SIGNATURES, VOLUMES = 1, 2, 3, 4

# /proc/self/mountinfo (proc_pid_mountinfo(5)).

PATHS = st.lists(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), max_size=3
).map(lambda names: "/" + "/".join(names))


def _escaped(text: str) -> bytes:
    """As the kernel writes it (fs/proc_namespace.c: mangle)."""
    raw = text.encode("utf-8", "surrogateescape")
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes([byte]) for byte in raw)


@fuzzed(60)
@given(path=PATHS, root=PATHS, source=PATHS, optional=st.lists(st.sampled_from([b"shared:1", b"master:2", b"x"])))
def test_a_mount_is_read_as_the_kernel_wrote_it_case_61(
    path: str, root: str, source: str, optional: list[bytes]
) -> None:
    tags = b"".join(b" " + each for each in optional)
    line = b"30 1 8:1 %s %s rw%s - ext4 %s rw\n" % (_escaped(root), _escaped(path), tags, _escaped(source))
    (found,) = mountinfo.parse(line)
    assert (found.path, found.root, found.source) == (path, root, source)


MOUNTS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/b", "//", ""])),
    max_size=12,
)


@fuzzed(100)
@given(mounts=MOUNTS, path=st.sampled_from(["/", "/a", "/a/b", "/a/b/c/d", "/b"]))
def test_a_tree_of_mounts_that_cannot_be_is_walked_to_an_end(mounts: list[tuple[int, int, str]], path: str) -> None:
    """Parents that are their own children, twice the same number, roots that are missing."""
    text = "".join(f"{number} {parent} 8:{number} / {at} rw - ext4 x rw\n" for number, parent, at in mounts).encode()
    crossed = mountinfo.way(mountinfo.parse(text), path)
    assert len(crossed) == len(set(crossed)) <= len(mounts)
    for subject in (Mount(path), UnderlyingMount(path)):
        outputs = dict.fromkeys(subject.probes(), Output(text)) | {subject.probes()[-1]: Output(f"{path}\n".encode())}
        with contextlib.suppress(LookFailed):
            _parsed(subject, outputs)


# /proc/swaps (proc_swaps(5)).

FIELDS = st.sampled_from(
    ["/dev/vda2", "/dev/vda", "partition", "file", "-2", "5", "²", "99999999999999999999", "\x85", ""]
)


@fuzzed(60)
@given(lines=st.lists(st.lists(FIELDS, max_size=6).map(" ".join), max_size=4))
def test_any_list_of_swap_areas_is_understood_or_a_failed_look(lines: list[str]) -> None:
    subject = Swap("/dev/vda2")
    said = "\n".join(["Filename Type Size Used Priority", *lines]).encode()
    with contextlib.suppress(LookFailed):
        found = _parsed(subject, dict(zip(subject.probes(), (Output(b"/dev/vda2\n"), Output(said)), strict=True)))
        assert isinstance(found, SwapState)


# The probes of a disk: recorded, and then spoilt line by line.

_FILES = sorted(RECORDS.glob("*.yml"))
_RECORDS = [yaml.safe_load(path.read_text("utf-8")) for path in _FILES]


def _spoilt(lines: list[bytes], draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    """Lines lost, doubled, cut, moved and changed, as by a tool of another version, or one that was killed."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(lines) - 1)))
        line = lines[at] if lines else b""
        change = draw(st.sampled_from(["lose", "double", "cut", "end", "change", "insert"]))
        word = draw(
            st.sampled_from([b"", b" ", b"0", b"-1", b"null", b"{", b"]", b"\xff", b"=", b"99999999999999999999"])
        )
        place = draw(st.integers(0, len(line)))
        lines[at : at + 1] = {
            "lose": [], "double": [line, line], "cut": [line[:place]], "end": [line],
            "change": [line[:place] + word + line[place + 1 :]], "insert": [line[:place] + word + line[place:]],
        }[change]  # fmt: skip
        lines = lines[: at + 1] if change == "end" else lines
    return b"\n".join(lines)


@fuzzed(120)
@given(record=st.sampled_from(_RECORDS), probe=st.sampled_from([0, SIGNATURES, VOLUMES, 5, 6]), data=st.data())
def test_spoilt_answers_about_a_disk_are_understood_or_a_failed_look(
    record: dict[str, Any], probe: int, data: st.DataObject
) -> None:
    outputs = list(outputs_of(record))
    outputs[probe] = Output(_spoilt(outputs[probe].stdout.split(b"\n"), data.draw), outputs[probe].status)
    subject = Disk(record["path"])
    try:
        seen = _parsed(subject, dict(zip(subject.probes(), outputs, strict=True)))
    except LookFailed as error:
        assert error.what and error.advice
        return
    if isinstance(seen, DiskState):
        list(picture(seen, Style()))
        assert seen.describe()


# A GPT whose checksums hold, and whose numbers are anything (UEFI 2.10, 5.3).

U64 = st.sampled_from(
    [0, 1, 2, 33, 34, 2048, 131037, 131071, 131072, 1 << 31, (1 << 63) - 1, (1 << 64) - 1]
) | st.integers(0, (1 << 64) - 1)
U32 = st.sampled_from([0, 1, 2, 3, 127, 128, 129, 504, 1 << 31, (1 << 32) - 1]) | st.integers(0, (1 << 32) - 1)
ENTRIES = st.lists(st.tuples(U64, U64, U64, st.binary(min_size=72, max_size=72)), min_size=1, max_size=4)
SECTORS = 131072


def _table(entries: list[tuple[int, int, int, bytes]]) -> bytes:
    kind = bytes(range(16))
    packed = [struct.pack("<16s16sQQQ72s", kind, bytes([n] * 16), *each) for n, each in enumerate(entries)]
    return b"".join(packed).ljust(128 * 128, b"\0")


def _header(here: int, fields: dict[str, int], table: bytes) -> bytes:
    """A header whose own checksum holds, and the table's where it lies within what was read."""
    covered = table[: fields["length"] * fields["width"]]
    numbers = (fields["alternate"], fields["first"], fields["last"], bytes(16), fields["table"])
    size = (fields["length"], fields["width"], zlib.crc32(covered))
    body = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, here, *numbers, *size)
    return body[:16] + struct.pack("<I", zlib.crc32(body)) + body[20:]


Made = tuple[list[tuple[int, int, int, bytes]], dict[str, int]]

TABLES: st.SearchStrategy[Made] = st.tuples(
    ENTRIES,
    st.dictionaries(st.sampled_from(["alternate", "first", "last"]), U64, max_size=2)
    | st.dictionaries(st.sampled_from(["length", "width"]), U32, max_size=1)
    | st.dictionaries(st.just("table"), U64, max_size=1),
)


def ends_of(made: Made) -> tuple[bytes, bytes]:
    """The first and the last bytes of a disk with a made up GPT."""
    table, odd = _table(made[0]), made[1]
    usual = {"alternate": SECTORS - 1, "first": 34, "last": SECTORS - 34, "table": 2, "length": 128, "width": 128}
    mbr = bytearray(512)
    mbr[446 + 4], mbr[510:512] = 0xEE, b"\x55\xaa"
    head = bytes(mbr) + _header(1, usual | odd, table).ljust(512, b"\0") + table
    backup = usual | odd | {"table": SECTORS - 33, "alternate": 1}
    tail = table + _header(SECTORS - 1, backup, table).ljust(512, b"\0")
    return head.ljust(65536, b"\0"), tail.rjust(65536, b"\0")


def _seen(ends: tuple[bytes, bytes]) -> DiskState:
    """The recorded disk, with another GPT; what its partitions hold cannot be listed."""
    record = next(record for path, record in zip(_FILES, _RECORDS, strict=True) if path.stem == "ours")
    outputs = list(outputs_of(record))
    size = SECTORS * 512
    outputs[0] = Output(b"uid 0\nnode /dev/vda\nkind disk\ndev 254:0\nsize %d\nro 0\nsector 512\n" % (size // 512))
    outputs[HEAD], outputs[TAIL], outputs[VOLUMES] = Output(ends[0]), Output(ends[1]), Output(b"partx 1\n")
    subject = Disk("/dev/vda")
    try:
        seen = _parsed(subject, dict(zip(subject.probes(), outputs, strict=True)))
    except LookFailed:
        assume(False)
    assert isinstance(seen, DiskState)
    return seen


_PLAYBOOKS = ROOT / "playbooks"


@functools.cache
def _about_the_disk(name: str) -> tuple[playbook.Entry, ...]:
    """The entries of a playbook that look at the disk and at nothing else."""
    plays = playbook.load(_PLAYBOOKS / name, Registry())
    entries = (entry for play in plays for entry in play.entries(LOCALHOST, {"disk": "/dev/vda", "swap": "0"}))
    return tuple(entry for entry in entries if entry.task and subjects([entry]) == {Disk("/dev/vda")})


@pytest.mark.parametrize("name", ["data-disk.yml", "ext4-root.yml"])
@fuzzed(40)
@given(made=TABLES)
def test_a_table_of_any_numbers_is_shown_and_decided_about(name: str, made: Made) -> None:
    """No task fails to decide: it refuses, or erases with consent, or has nothing to do with it."""
    seen = _seen(ends_of(made))
    list(picture(seen, Style(width=80)))
    about = _about_the_disk(name)
    assert about
    machine = Machine({Disk("/dev/vda"): seen})
    for consent in (Consent(), Consent(frozenset({"/dev/vda"}))):
        reports = refuse_duplicate_names(about, machine, imagine(about, machine, consent, nothing_left))
        assert not [report.error for report in reports if isinstance(report.error, PluginError)]
        dumps(Run("check", 0, "drift", "play", (HostReport("localhost", reports),)))


@fuzzed(60)
@given(made=TABLES, cut=st.tuples(st.integers(0, 65536), st.integers(0, 65536)))
def test_a_table_that_was_read_in_part_is_not_an_error(made: Made, cut: tuple[int, int]) -> None:
    ends = ends_of(made)
    with contextlib.suppress(ValueError):
        gpt.parse(ends[0][: cut[0]], ends[1][: cut[1]], sector=512, sectors=SECTORS)


# What a shell says of itself, and how the outputs of probes are told apart.


@fuzzed(100)
@given(parts=st.lists(st.sampled_from([b"\nMARK ", b"0", b"1\n", b"x\n", b"\n", b"MARK", b"\xff", b" "]), max_size=12))
def test_any_frame_of_outputs_is_read_or_a_failed_look(parts: list[bytes]) -> None:
    with contextlib.suppress(LookFailed):
        assert len(split(b"".join(parts), "MARK", 2)) == 2


@pytest.mark.parametrize("greeting", ["echo Welcome to NixOS", "printf 7", "echo; echo 12 34", "printf '\\377\\n'"])
def test_a_host_that_greets_is_a_host(greeting: str) -> None:
    with Host("there", ("sh", "-c", f"{greeting}; exec sh")).shell() as shell:
        assert shell.run(["echo", "hello"]).stdout == b"hello\n"


def test_a_connection_without_our_shell_is_reported() -> None:
    """It answers like one, and says no process group."""
    other = "cat > /dev/null & read -r line; echo"
    with pytest.raises(Unreachable), Host("there", ("sh", "-c", other)).shell():
        pass


# What people type.


@fuzzed(100)
@given(st.text(max_size=30) | st.text("/dev-part0123nvme.mcblkp", max_size=30).map(lambda text: "/dev/" + text))
def test_any_name_of_a_device_is_one_or_an_error(path: str) -> None:
    with contextlib.suppress(ValueError):
        assert device(path).disk


@fuzzed(60)
@given(st.lists(st.text(max_size=20) | st.text("a=b:{}[]@\"' &*\n\t", max_size=20), max_size=3))
def test_any_extra_variables_are_some_or_an_error(given: list[str]) -> None:
    with contextlib.suppress(PlaybookError):
        extra_vars(given)


NAMES = st.sampled_from(["all", "web", "db", "ungrouped", "a[1:3]", "a b", "", "é", "1", "yes"])
VARS = st.dictionaries(
    st.sampled_from(["subfloor_connection", "subfloor_become", "subfloor_host", "subfloor_port", "subfloor_user", "x"]),
    st.sampled_from(["ssh", "local", "", "{{ x }}", "{{", "22", 22, -1, True, None, [], ["sudo"], {"a": "b"}, "a\nb"]),
    max_size=3,
)
GROUPS = st.recursive(
    st.none() | VARS,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "hosts": st.dictionaries(NAMES, st.none() | VARS, max_size=3) | VARS,
            "children": st.dictionaries(NAMES, inner, max_size=3),
            "vars": VARS,
        },
    ),
    max_leaves=8,
)


@fuzzed(60)
@given(tree=st.dictionaries(NAMES, GROUPS, max_size=3))
def test_any_inventory_is_one_or_an_error_with_its_place(tmp_path: Path, tree: dict[str, Any]) -> None:
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True))
    try:
        for target in inventory.load(path).targets:
            target.connection()
    except PlaybookError as error:
        for each in error.all:
            assert each.what and each.advice
            assert each.where.line >= 1 and each.where.column >= 1
