"""`luks`: a LUKS2 container of this play with the declared keys, open under its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    UNFINISHED,
    AnySubject,
    Claim,
    Container,
    Contribution,
    EncryptedDevice,
    FromPlay,
    Identity,
    Key,
    Location,
    Machine,
    Param,
    Secret,
    Step,
    Task,
    check_clean,
    checked,
    containers,
    contents,
    hookimpl,
    is_filled_by,
    locate,
)


@dataclass(frozen=True, kw_only=True)
class Luks(Task):
    """Make a LUKS2 container with these keys on this volume, and open it as /dev/mapper/NAME.

    A container is unfinished until all of its keys were tried. Its content is unfinished until the task that makes the
    content is done: until then the container's label ends in `.unfinished`. A finished container of ours is never made
    again without consent, and a change of its keys leaves its content as it is. After a reboot the task opens the
    container again. If the volume has grown, the container grows too. If it is open then, this needs a key.

    The passphrase is in key slot 0, the key file in key slot 24. If one of them is declared and missing, it is added by
    means of the other one. A key file that is no longer declared is revoked, if the passphrase opens the container.
    Other key slots stay as they are. A check opens nothing and tries no key.
    """

    key: ClassVar[str] = "luks"
    examples: ClassVar[tuple[str, ...]] = (
        'luks: {device: /dev/vda3, name: cryptroot, passphrase: "{{ passphrase | default(none) }}"}',
        "luks: {device: /dev/vda2, name: cryptdata, key_file: /root/data.key, allow_discards: true}",
    )

    device: Annotated[str, Param("The volume that holds the container", examples=("/dev/vda3",))]
    name: Annotated[
        str, Param("Its name once it is open: /dev/mapper/NAME", pattern="^[A-Za-z0-9_.+][A-Za-z0-9_.+-]*$")
    ]
    passphrase: Annotated[
        Secret | None, Param("The passphrase; give it by `--ask-passphrase`, and only when a key is needed")
    ] = None
    key_file: Annotated[str | None, Param("A key file, which opens it too", examples=("/root/data.key",))] = None
    label: Annotated[str, Param("The container's label; default: its name")] = ""
    cipher: Annotated[str, Param("The cipher; default: cryptsetup's", pattern="^[a-z0-9:_-]*$")] = ""
    key_size: Annotated[int | None, Param("Key size in bits; default: the cipher's", minimum=128)] = None
    sector_size: Annotated[
        Literal[512, 4096] | None, Param("Sector size of the encryption, in bytes; default: cryptsetup chooses")
    ] = None
    pbkdf: Annotated[
        Literal["argon2id", "argon2i", "pbkdf2"] | None,
        Param("The key derivation function, which makes guessing the passphrase slow"),
    ] = None
    pbkdf_memory: Annotated[int | None, Param("Memory that each guess of the passphrase takes, in KiB", minimum=32)] = (
        None
    )
    pbkdf_iterations: Annotated[
        int | None, Param("Iterations of the key derivation; default: as many as take two seconds", minimum=4)
    ] = None
    allow_discards: Annotated[
        bool, Param("Pass discards (TRIM) to the disk, which then shows how full the container is")
    ] = False
    raw: Annotated[bool, Param("No task of the play fills it: it gets its final label at once")] = False
    disk: Annotated[str, Param("The name of the disk in the play, as in `gpt-label`; only for a whole disk")] = "disk"
    identity: Identity
    volume: Annotated[Location | None, FromPlay()] = None
    filled: Annotated[bool, FromPlay()] = True

    def __post_init__(self) -> None:
        checked("device", locate, self.device)
        if self.key_file:
            checked("key_file", check_clean, self.key_file)
        checked("label", containers.check_label, self._label)
        if self.passphrase is not None and not containers.is_typed(self.passphrase):
            raise ValueError("passphrase: it is empty, or has a line break, which cannot be typed")

    def within(self, play: tuple[Task, ...]) -> Task:
        inside = self._declared.inside.path
        filled = self.raw or any(is_filled_by(task, inside) for task in play)
        return replace(self, volume=locate(self.device, play), filled=filled)

    def warnings(self) -> tuple[str, ...]:
        if self.filled:
            return ()
        return (
            f"no task of the play fills /dev/mapper/{self.name}, so its container stays labelled "
            f"{self._label + UNFINISHED!r}: add `mkfs` for it, or `raw: true` if another tool fills it",
        )

    @property
    def _label(self) -> str:
        return self.label or self.name

    @property
    def _location(self) -> Location:
        return self.volume or locate(self.device)

    def subjects(self) -> frozenset[AnySubject]:
        declared = self._declared
        return self._location.subjects() | {declared.header, declared.inside}

    def next_step(self, machine: Machine) -> Step | None:
        volume = self._location.on(machine, self.identity)
        if not volume.ours:
            containers.check_room(volume)
            return contents.take_over(volume)
        declared, found = self._declared, volume.seen_content()
        if volume.is_unfinished or found is None or not containers.is_ours(volume, found):
            return containers.make(volume, declared)
        return (
            containers.labelled(volume, declared, found)
            or containers.keyed(volume, declared, key_file=bool(self.key_file))
            or containers.opened(volume, declared, found)
        )

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        volume = self._location.own(machine, self.identity)
        if volume is None:
            return ()
        return (Claim(volume.node, volume.whole, "UUID", str(self.identity.filesystem(volume.uuid))),)

    def contributes(self) -> tuple[Contribution, ...]:
        return (
            EncryptedDevice(
                self.name, self.device, self.key_file, self.allow_discards, label=self._label, pbkdf=self.pbkdf
            ),
        )

    @property
    def _declared(self) -> Container:
        passphrase = (Key(containers.PASSPHRASE_SLOT, self.passphrase),) if self.passphrase is not None else ()
        file = (Key(containers.FILE_SLOT, file=self.key_file),) if self.key_file else ()
        return Container(
            device=self.device,
            name=self.name,
            label=self._label,
            keys=(*passphrase, *file),
            options=self._options,
            derivation=self._derivation,
            discards=self.allow_discards,
            raw=self.raw,
        )

    @property
    def _options(self) -> tuple[str, ...]:
        return (
            *(("--cipher", self.cipher) if self.cipher else ()),
            *(("--key-size", str(self.key_size)) if self.key_size else ()),
            *(("--sector-size", str(self.sector_size)) if self.sector_size else ()),
        )

    @property
    def _derivation(self) -> tuple[str, ...]:
        """Options of cryptsetup that make it slow to guess the passphrase."""
        return (
            *(("--pbkdf", self.pbkdf) if self.pbkdf else ()),
            *(("--pbkdf-memory", str(self.pbkdf_memory)) if self.pbkdf_memory else ()),
            *(("--pbkdf-force-iterations", str(self.pbkdf_iterations)) if self.pbkdf_iterations else ()),
        )


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (Luks,)
