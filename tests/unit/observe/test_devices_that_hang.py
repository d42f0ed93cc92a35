"""Devices that no longer answer: a read that no signal ends. No look waits for one that the play is not about."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.observe.block_uuids import BlockUuids
from subfloor.observe.tag import Tag

UUID = "4f9a0c1e-5d0b-4d6e-8a53-3f2f9d3a7c11"
HUNG = ("vdb", "vdc", "vdd", "vde", "vdf")
SUBJECTS = (BlockUuids(), Tag(f"UUID={UUID}"))

BLKID = """\
#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
echo "$*" >> {asked}
for node; do
    case $node in
        */vdg) printf 'DEVNAME=%s\\nUUID=%s\\nID_FS_UUID=%s\\n' "$node" {uuid} {uuid};;
        */vdh) ;;
        *) while [ -e {hung} ]; do sleep 1; done;;
    esac
done
"""

TIMEOUT = """\
#!/bin/sh
case $* in
    *blkid*) shift 3; exec "$@";;
esac
shift
exec /usr/bin/timeout "$LIMIT" "$@"
"""
"""What the real one does with a child that it cannot kill: it waits for it."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Directories that stand for sysfs and udev's database, and programs for which some devices hang."""
    for number, name in enumerate(("vda", *HUNG, "vdg", "vdh")):
        block = tmp_path / "block" / name
        block.mkdir(parents=True)
        (block / "size").write_text("2048\n")
        (block / "dev").write_text(f"253:{number}\n")
    (tmp_path / "udev").mkdir()
    (tmp_path / "udev" / "b253:0").write_text(f"E:ID_FS_UUID={UUID}\nE:ID_FS_TYPE=ext4\n")
    (tmp_path / "bin").mkdir()
    for name, text in (("blkid", BLKID), ("timeout", TIMEOUT)):
        program = tmp_path / "bin" / name
        program.write_text(text.format(asked=tmp_path / "asked", hung=tmp_path / "hung", uuid=UUID))
        program.chmod(0o755)
    (tmp_path / "hung").touch()
    yield tmp_path
    (tmp_path / "hung").unlink()


def looked(subject: BlockUuids | Tag, place: Path, limit: str) -> tuple[Any, ...]:
    """What a look finds. ``limit``: the seconds that it waits for an answer."""
    (probe,) = subject.probes()
    for real, stand_in in (("/sys/class/block", "block"), ("/run/udev/data", "udev")):
        probe = probe.replace(real, str(place / stand_in))
    path = {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "LIMIT": limit}
    ran = subprocess.run(["/bin/sh", "-c", probe], capture_output=True, env=path, timeout=120.0, check=True)
    return subject.parse(Output(ran.stdout, 0))


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_a_look_ends_and_shows_what_the_other_devices_carry(subject: BlockUuids | Tag, place: Path) -> None:
    assert [each.node for each in looked(subject, place, "0.5")] == ["/dev/vda"]
    assert len((place / "asked").read_text().splitlines()) == 3


def test_the_devices_that_did_not_answer_are_named_if_no_other_carries_the_tag(place: Path) -> None:
    with pytest.raises(LookFailed, match=r"/dev/vdb, /dev/vdc, .*/dev/vdf.* cannot be read, or does not answer"):
        looked(Tag("LABEL=data"), place, "0.5")


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_a_device_that_udev_does_not_know_is_read(subject: BlockUuids | Tag, place: Path) -> None:
    for number in range(1, len(HUNG) + 1):
        (place / "udev" / f"b253:{number}").touch()
    assert [each.node for each in looked(subject, place, "100")] == ["/dev/vda", "/dev/vdg"]
    assert (place / "asked").read_text().split() == ["/dev/vdg", "/dev/vdh"]
