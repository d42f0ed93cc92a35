"""`luks`: a LUKS2 container of ours with the declared keys, open under its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    ALLOW_DISCARDS,
    LUKS,
    UNFINISHED,
    AnySubject,
    Claim,
    Command,
    Content,
    Disk,
    DiskState,
    FromPlay,
    Header,
    Identity,
    Key,
    Location,
    LuksHeader,
    Machine,
    Missing,
    NotVisible,
    Param,
    Refused,
    Secret,
    Step,
    Task,
    Unopened,
    Volume,
    check_clean,
    checked,
    containers,
    contents,
    final,
    hookimpl,
    locate,
    mapping,
)


@dataclass(frozen=True, kw_only=True)
class Luks(Task):
    """Make a LUKS2 container with these keys on this volume, and open it as /dev/mapper/NAME.

    A container is unfinished until all of its keys were tried. What is in it is unfinished until the task that makes
    it ends: until then the container's label ends in `.unfinished`. A container of ours is never made again without
    consent, and no key changes what is in it. After a reboot the task opens it again.

    The passphrase opens key slot 0, the key file key slot 24. A key that is declared and missing is added with the
    other one; a key file that is declared no longer is revoked, if the passphrase opens the container. Other slots are
    left alone. A check opens nothing and tries no key.
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
    key_file: Annotated[str | None, Param("A file whose content opens it too", examples=("/root/data.key",))] = None
    label: Annotated[str, Param("The container's own label; else its name")] = ""
    cipher: Annotated[str, Param("Else cryptsetup's default", pattern="^[a-z0-9:_-]*$")] = ""
    key_size: Annotated[int | None, Param("Bits of the key; else as the cipher's default", minimum=128)] = None
    sector_size: Annotated[Literal[512, 4096] | None, Param("Bytes of a sector that is encrypted; else chosen")] = None
    pbkdf: Annotated[
        Literal["argon2id", "argon2i", "pbkdf2"] | None, Param("What makes guesses of the passphrase slow")
    ] = None
    pbkdf_memory: Annotated[int | None, Param("KiB of memory that each guess takes", minimum=32)] = None
    pbkdf_iterations: Annotated[int | None, Param("Rounds; else as many as take two seconds", minimum=4)] = None
    allow_discards: Annotated[bool, Param("Tell the disk what is free: it then knows how full it is")] = False
    raw: Annotated[bool, Param("No task of the play fills it: its label is final at once")] = False
    identity: Identity
    volume: Annotated[Location | None, FromPlay()] = None
    filled: Annotated[bool, FromPlay()] = True

    def __post_init__(self) -> None:
        checked("device", locate, self.device)
        if self.key_file:
            checked("key_file", check_clean, self.key_file)
        checked("label", _check_label, self._label)
        if self.passphrase is not None and not _is_typed(self.passphrase):
            raise ValueError("passphrase: it is empty, or has a line break, which nobody can type")

    def within(self, play: tuple[Task, ...]) -> Task:
        inside = mapping.node_of(self.name)
        filled = self.raw or any(getattr(task, "device", None) == inside and task.key != "swap" for task in play)
        return replace(self, volume=locate(self.device, play), filled=filled)

    def warnings(self) -> tuple[str, ...]:
        if self.filled:
            return ()
        return (
            f"no task of the play fills /dev/mapper/{self.name}, so its container stays labelled "
            f"{self._label + UNFINISHED!r}: add `mkfs` for it, or `raw: true` if it is to be filled by other means",
        )

    @property
    def _label(self) -> str:
        return self.label or self.name

    @property
    def _location(self) -> Location:
        return self.volume or locate(self.device)

    @property
    def _inside(self) -> Disk:
        return Disk(mapping.node_of(self.name))

    def subjects(self) -> frozenset[AnySubject]:
        return self._location.subjects() | {LuksHeader(self.device), self._inside}

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        try:
            volume = self._location.on(machine, self.identity)
        except (Refused, NotVisible):
            return ()
        uuid = str(self.identity.filesystem(volume.uuid))
        return (Claim(volume.node, volume.whole, "UUID", uuid),) if volume.ours else ()

    def next_step(self, machine: Machine) -> Step | None:
        volume = self._location.on(machine, self.identity)
        if not volume.ours:
            containers.check_room(volume)
            return contents.take_over(volume)
        found = volume.seen_content()
        if volume.is_unfinished or not self._is_ours(volume, found):
            return self._make(volume)
        return self._labelled(volume, found) or self._keyed(volume) or self._opened(volume, found)

    def _is_ours(self, volume: Volume, found: Content | None) -> bool:
        wanted = str(self.identity.filesystem(volume.uuid))
        return found is not None and (found.type, found.uuid) == (LUKS, wanted)

    # The container.

    def _make(self, volume: Volume) -> Step:
        containers.check_room(volume)
        volume.check_unused()
        self._check_name(volume)
        label = self._label if self.raw else self._label + UNFINISHED
        uuid = str(self.identity.filesystem(volume.uuid))
        first, *others = self._given(volume, "to make the container")
        making = (
            containers.format_(volume, label, first, (*self._options, *self._derivation)),
            *(containers.add(volume.node, first, key, self._derivation) for key in others),
            Command(("sync", volume.node)),
            *(containers.try_(volume.node, key) for key in (first, *others)),
        )
        says = f"Make a LUKS container labelled {self._label!r} on {self.device}"
        step = contents.make(volume, says, Content(LUKS, label, uuid), making)
        header = Header(2, frozenset(key.slot for key in (first, *others)))
        return replace(step, after=step.after.with_(LuksHeader(self.device), header))

    def _check_name(self, volume: Volume) -> None:
        if not isinstance(volume.machine[self._inside], Missing):
            raise Refused(
                f"/dev/mapper/{self.name} is another device than this play makes there",
                advice=f"close it (`cryptsetup close {self.name}`), or choose another `name`",
            )

    def _labelled(self, volume: Volume, found: Content | None) -> Step | None:
        """The label of a container is its own name and the mark of what is in it: the mark stays."""
        assert found is not None
        name = final(found.label)
        if name == self._label and not (self.raw and name != found.label):
            return None
        label = self._label if self.raw else self._label + found.label.removeprefix(name)
        return Step(
            says=f"Label the container on {self.device} {label!r}",
            commands=mapping.relabel(volume, label),
            after=volume.holding(replace(found, label=label), volume.name, known=volume.known),
            locks=volume.locks,
        )

    # Its keys.

    def _keyed(self, volume: Volume) -> Step | None:
        header = volume.machine[LuksHeader(self.device)]
        if not isinstance(header, Header) or header.version != 2:
            return None
        slots = {containers.PASSPHRASE_SLOT} if self.passphrase is not None else set[int]()
        slots |= {containers.FILE_SLOT} if self.key_file else set[int]()
        if missing := sorted(slots - header.slots):
            return self._add(volume, header, missing[0])
        if not self.key_file and containers.FILE_SLOT in header.slots and len(header.slots) > 1:
            return self._revoke(volume, header)
        return None

    def _add(self, volume: Volume, header: Header, slot: int) -> Step:
        known = [key for key in self._keys if key.slot in header.slots]
        new = next(key for key in self._keys if key.slot == slot)
        if not known:
            raise Refused(
                f"{self.device} has no key slot {slot}, and {new} can be added only with a key that it has",
                advice="give the other key too, or add this one with `cryptsetup luksAddKey --key-slot "
                f"{slot} {volume.node}`",
            )
        commands = (containers.add(volume.node, known[0], new, self._derivation), containers.try_(volume.node, new))
        return self._rekeyed(volume, f"Add {new} to the container on {self.device}", commands, header.slots | {slot})

    def _revoke(self, volume: Volume, header: Header) -> Step:
        """Only with another key that was tried before: the last key that is known to work stays."""
        (known, *_) = self._given(volume, "to revoke the key file")
        slot = containers.FILE_SLOT
        commands = (containers.try_(volume.node, known), containers.remove(volume.node, known, slot))
        says = f"Revoke the key file of the container on {self.device}"
        return self._rekeyed(volume, says, commands, header.slots - {slot})

    def _rekeyed(self, volume: Volume, says: str, commands: tuple[Command, ...], slots: frozenset[int]) -> Step:
        header = volume.machine[LuksHeader(self.device)]
        assert isinstance(header, Header)
        after = volume.machine.with_(LuksHeader(self.device), replace(header, slots=slots))
        return Step(says, (*commands, Command(("sync", volume.node))), after, locks=volume.locks)

    @property
    def _keys(self) -> tuple[Key, ...]:
        """The keys that were given, the passphrase first: a key file may lie in the container's own filesystem."""
        passphrase = (Key(containers.PASSPHRASE_SLOT, self.passphrase),) if self.passphrase is not None else ()
        return (*passphrase, *((Key(containers.FILE_SLOT, file=self.key_file),) if self.key_file else ()))

    def _given(self, volume: Volume, purpose: str) -> tuple[Key, ...]:
        if not self._keys:
            raise Refused(
                f"a passphrase is needed {purpose} on {self.device}",
                advice="name a variable as the task's `passphrase`, and have it asked for: --ask-passphrase VARIABLE",
            )
        return self._keys

    # What is in it.

    def _opened(self, volume: Volume, found: Content | None) -> Step | None:
        inside = volume.machine[self._inside]
        if isinstance(inside, Unopened):
            return None
        if isinstance(inside, Missing):
            return self._open(volume, found)
        uuid = self.identity.filesystem(volume.uuid)
        if not inside.mapped or inside.mapped.uuid != mapping.dm_uuid(uuid, self.name):
            self._check_name(volume)
        return self._discards(volume, inside)

    def _open(self, volume: Volume, found: Content | None) -> Step:
        key = self._given(volume, "to open the container")[0]
        fresh = found is not None and found.fresh
        state = containers.opened(volume, self.name) if fresh else Unopened(f"the container on {self.device} is open")
        after = volume.machine.with_(self._inside, state)
        header = after[LuksHeader(self.device)]
        if self.allow_discards and isinstance(header, Header):
            after = after.with_(LuksHeader(self.device), replace(header, flags=header.flags | {ALLOW_DISCARDS}))
        return Step(
            says=f"Open the container on {self.device} as /dev/mapper/{self.name}",
            commands=(containers.open_(volume.node, self.name, key, discards=self.allow_discards),),
            after=after,
            locks=volume.locks,
        )

    def _discards(self, volume: Volume, inside: DiskState) -> Step | None:
        header = volume.machine[LuksHeader(self.device)]
        if not isinstance(header, Header) or (ALLOW_DISCARDS in header.flags) == self.allow_discards:
            return None
        key = self._given(volume, "to change whether what is free is passed on")[0]
        flag = frozenset({ALLOW_DISCARDS})
        flags = header.flags | flag if self.allow_discards else header.flags - flag
        verb = "Pass on" if self.allow_discards else "No longer pass on"
        return Step(
            says=f"{verb} to the disk what is free in /dev/mapper/{self.name}",
            commands=(containers.refresh(self.name, key, discards=self.allow_discards),),
            after=volume.machine.with_(LuksHeader(self.device), replace(header, flags=flags)),
            locks=volume.locks,
        )

    # Options.

    @property
    def _options(self) -> tuple[str, ...]:
        return (
            *(("--cipher", self.cipher) if self.cipher else ()),
            *(("--key-size", str(self.key_size)) if self.key_size else ()),
            *(("--sector-size", str(self.sector_size)) if self.sector_size else ()),
        )

    @property
    def _derivation(self) -> tuple[str, ...]:
        """How the passphrase's slot is protected."""
        return (
            *(("--pbkdf", self.pbkdf) if self.pbkdf else ()),
            *(("--pbkdf-memory", str(self.pbkdf_memory)) if self.pbkdf_memory else ()),
            *(("--pbkdf-force-iterations", str(self.pbkdf_iterations)) if self.pbkdf_iterations else ()),
        )


def _check_label(label: str) -> None:
    """The header has room for 48 bytes, the last one a zero (LUKS2 on-disk format, section 2.1)."""
    longest = 47 - len(UNFINISHED)
    if len(label.encode()) > longest:
        raise ValueError(f"{label!r} is too long for a LUKS container: {longest} bytes at the most")
    if label.startswith("-") or label != final(label) or not label.isprintable():
        raise ValueError(f"{label!r} begins with a hyphen, ends as the label of an unfinished one, or is not printable")


def _is_typed(passphrase: Secret) -> bool:
    text = passphrase.reveal()
    return bool(text) and "\n" not in text


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (Luks,)
