"""What probes printed on real machines, kept in tests/data/probes; run as root, this records the disks anew.

A record is one look at one subject: the outputs of its probes in their order, and what they come to, as
the lines of ``lines_of``. What is not text is packed (zlib, base85).
"""

from __future__ import annotations

import base64
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from foreign_disks import FOREIGN
from loop_disks import LoopDisk, attach, run, take_away
from places import DATA
from subfloor.act.host import Host
from subfloor.act.look import _parsed, script, split
from subfloor.core.machine import AnySubject, Output
from subfloor.observe.disk import Disk, DiskState, Missing
from subfloor.storage import gpt

RECORDS = DATA / "probes"
_MARK = "mark-between-the-outputs"


def looked(subject: AnySubject, outputs: tuple[Output, ...]) -> Any:
    """What a look makes of these outputs. Raises ``LookFailed``, and nothing else."""
    return _parsed(subject, dict(zip(subject.probes(), outputs, strict=True)))


def outputs_of(record: Mapping[str, Any]) -> tuple[Output, ...]:
    return tuple(Output(_bytes(each), each.get("status", 0)) for each in record["outputs"])


def _bytes(each: Mapping[str, Any]) -> bytes:
    if "packed" in each:
        return zlib.decompress(base64.b85decode(each["packed"]))
    text: str = each.get("text", "")
    return text.encode()


def _record(output: Output) -> dict[str, Any]:
    status = {"status": output.status} if output.status else {}
    try:
        text = output.stdout.decode("utf-8")
        if "\0" not in text and "\r" not in text:
            return {**status, "text": text}
    except UnicodeDecodeError:
        pass
    return {**status, "packed": base64.b85encode(zlib.compress(output.stdout, 9)).decode()}


def lines_of(seen: DiskState | Missing) -> list[str]:
    """All that was seen of a disk, in lines that a person can check."""
    return list(_lines(seen))


def _lines(seen: DiskState | Missing) -> Iterator[str]:
    if isinstance(seen, Missing):
        yield f"missing; there are {', '.join(seen.present)}"
        return
    yield seen.describe()
    yield f"{seen.kind} of {seen.size} bytes in sectors of {seen.limits.sector}"
    if isinstance(seen.table, gpt.Gpt):
        yield f"GPT {seen.table.id}, damage: {', '.join(sorted(seen.table.damage)) or 'none'}"
        yield from (f"{e.number}: {e.start} +{e.size} {e.name!r}" for e in seen.table.entries)
    yield f"signatures: {', '.join(seen.signatures) or 'none'}; stray: {', '.join(map(str, seen.stray)) or 'none'}"
    for volume in seen.volumes:
        yield f"{volume.number}: {volume.content or 'nothing'}{'' if volume.known else ', not known to the kernel'}"
    yield f"used: {', '.join(seen.busy) or 'by nobody'}"


def _ours(disk: LoopDisk) -> None:
    disk.sfdisk("label: gpt\n1: start=1M,size=40M,name=ESP,type=U\n2: start=41M,size=8M,name=swap,type=S\n")
    run("mkfs.fat", "-F", "32", "-n", "BOOT", disk.partition(1))
    run("mkswap", "-L", "swap", disk.partition(2))


def _damaged(*places: int) -> Callable[[LoopDisk], None]:
    def make(disk: LoopDisk) -> None:
        _ours(disk)
        for place in places:
            disk.put(place, b"\xff" * 64)

    return make


def _unknown_to_the_kernel(disk: LoopDisk) -> None:
    _ours(disk)
    run("partx", "--delete", "--nr", "2", disk.node)


def _stray(disk: LoopDisk) -> None:
    _ours(disk)
    run("wipefs", "--all", "--force", disk.node)


def _latin(disk: LoopDisk) -> None:
    run("mkfs.ext4", "-q", "-F", "-L", b'caf\xe9 "x"'.decode("utf-8", "surrogateescape"), disk.node)


DISKS: Mapping[str, Callable[[LoopDisk], None]] = {
    **FOREIGN,
    "blank": lambda disk: None,
    "ours": _ours,
    "gpt-primary-damaged-case-24": _damaged(512),
    "gpt-backup-damaged-case-24": _damaged(-512),
    "gpt-both-damaged-case-25": _damaged(512, -512),
    "gpt-without-protective-mbr": _damaged(448),
    "unknown-to-the-kernel-case-54": _unknown_to_the_kernel,
    "stray-partitions-case-54": _stray,
    "label-that-is-not-utf-8-case-71": _latin,
}


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _as_it_is(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _as_it_is)


def record(node: str) -> tuple[Output, ...]:
    probes = Disk(node).probes()
    with Host().shell() as shell:
        return split(shell.script(script(probes, _MARK), timeout=60.0).stdout, _MARK, len(probes))


def _write(name: str, disk: LoopDisk) -> None:
    outputs = list(record(disk.node))
    # Nobody else's mounts, and no path of this machine.
    outputs[0] = Output(b"\n".join(each for each in outputs[0].stdout.split(b"\n") if not each.startswith(b"loop ")))
    outputs[5] = Output(b"21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n")
    outputs[6] = Output(b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
    about = {"path": disk.node, "sees": lines_of(Disk(disk.node).parse(*outputs))}
    text = yaml.dump(
        {**about, "outputs": [_record(each) for each in outputs]},
        Dumper=_Dumper,
        sort_keys=False,
        width=118,
        allow_unicode=True,
    )
    (RECORDS / f"{name}.yml").write_text(text)


def main() -> None:
    RECORDS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        for name, make in DISKS.items():
            disk = attach(Path(directory) / f"{name}.img", "512MiB")
            try:
                make(disk)
                _write(name, disk)
            finally:
                take_away(disk)


if __name__ == "__main__":
    main()
