"""The deliberate faults: each takes away one thing that keeps somebody's data safe, or a rerun right."""

from __future__ import annotations

from mutants.mutant import Mutant

_APPLY = "src/subfloor/act/apply.py"
_PARTITIONING = "src/subfloor/steps/partitioning.py"
_OWNERSHIP = "src/subfloor/steps/ownership.py"
_DISK = "src/subfloor/observe/disk/subject.py"
_PROBES = "src/subfloor/observe/disk/probes.py"
_GPT = "src/subfloor/storage/gpt.py"
_HOST = "src/subfloor/act/host.py"
_FILES = "src/subfloor/steps/files.py"
_MKFS = "plugins/mkfs.py"
_CONTENTS = "src/subfloor/steps/contents.py"
_PARTITION = "plugins/aligned_partition.py"
_PARTITIONS = "src/subfloor/steps/partitions"
_LABEL = "plugins/gpt_label.py"
_WIPEFS = "plugins/wipefs.py"

_ENGINE = ("tests/unit/core/test_engine.py",)
_RACES = ("tests/crash/test_races.py",)
_BEFORE = ("tests/disks/test_what_was_on_a_disk.py",)
_PROPERTIES = ("tests/unit/storage/test_disk_properties.py",)
_SEEN = ("tests/unit/observe/test_probes.py",)


def _steps(task: str) -> tuple[str, ...]:
    return ("tests/unit/steps/test_steps.py", "-k", task)


MUTANTS = (
    # What makes a half-made thing known for what it is.
    Mutant(
        "a partition is born with its final name",
        f"{_PARTITIONS}/making.py",
        "declared.uuid(table), declared.name + UNFINISHED",
        "declared.uuid(table), declared.name",
        _steps("aligned-partition"),
    ),
    Mutant(
        "the final name is written before the filesystem is made",
        _CONTENTS,
        """            *making,
            *volume.mark(name),
""",
        """            *volume.mark(name),
            *making,
""",
        _steps("mkfs"),
    ),
    Mutant(
        "a finished partition that is made again keeps its final name meanwhile",
        _CONTENTS,
        "*(() if volume.is_unfinished else volume.mark(name + UNFINISHED)),",
        "",
        _steps("mkfs"),
    ),
    Mutant(
        "what was made is not flushed before it is named",
        _MKFS,
        """            Command(("sync", volume.node)),
            Command(tools.check""",
        "            Command(tools.check",
        _steps("mkfs"),
    ),
    Mutant(
        "what was made is not checked before it is named",
        _MKFS,
        "            Command(tools.check(volume.node), timeout=3600.0),\n",
        "",
        _steps("mkfs"),
    ),
    Mutant(
        "a swap area is called finished, and nobody has looked whether there is one",
        "src/subfloor/storage/filesystems.py",
        'lambda node: ("swaplabel", node),',
        'lambda node: ("true",),',
        ("tests/crash/test_faulty_programs.py", "-k", "called_finished and nixos"),
    ),
    Mutant(
        "nobody looks whether mkfs would succeed",
        _APPLY,
        "for why in filter(None, (seen[demand] for demand in command.demands)):",
        "for why in ():",
        ("tests/disks/test_filesystems.py", "-k", "case_15"),
    ),
    Mutant(
        "a word that is no option is passed to mkfs, which takes it for a device",
        "src/subfloor/storage/mkfs_options.py",
        'if words or "--" in options:',
        "if False:",
        _steps("mkfs"),
    ),
    Mutant(
        "an option of mkfs names another device by a suboption",
        "src/subfloor/storage/mkfs_options.py",
        'if name in _ELSEWHERE or f"{name}@{option}" in _ELSEWHERE:',
        "if False:",
        _steps("mkfs"),
    ),
    Mutant(
        "an unfinished filesystem is mounted",
        "src/subfloor/steps/block_devices.py",
        "if entry and not is_final(entry.name):",
        "if False:",
        ("tests/disks/test_mount.py", "-k", "unfinished"),
    ),
    # What was there before and must not come back.
    Mutant(
        "a new partition's extent is not wiped",
        f"{_PARTITIONS}/making.py",
        "commands=(*rewrite(disk, unfinished), *wipe(node), *ended),",
        "commands=(*rewrite(disk, unfinished), *ended),",
        (*_BEFORE, "-k", "nothing_old or extent"),
    ),
    Mutant(
        "a table inside a partition is passed over",
        _PARTITIONING,
        """        Command(("wipefs", "--all", "--quiet", "--force", *nodes)),\n""",
        "",
        (*_BEFORE, "-k", "table_inside_a_partition"),
    ),
    Mutant(
        "the partitions' signatures are left when a disk is erased",
        _PARTITIONING,
        "return (guard(disk.node), *told, *emptied, *whole, forget(disk))",
        "return (guard(disk.node), *told, *whole, forget(disk))",
        _steps("wipefs"),
    ),
    Mutant(
        "what an old table led to is left where the new partitions are to be, and a rerun asks about it",
        _PARTITIONING,
        "places = [*partitions, *besides]",
        "places = [*partitions]",
        (*_BEFORE, "-k", "not_asked_about_again"),
    ),
    Mutant(
        "what is wiped is not flushed",
        _PARTITIONING,
        """        Command(("sync", *nodes)),\n""",
        "",
        _steps("mkfs"),
    ),
    Mutant(
        "the kernel keeps the partitions that the table has not",
        _PARTITIONING,
        "return (*gone, _partx(",
        "return (_partx(",
        ("tests/disks/test_kernel_partitions.py",),
    ),
    # What is in use.
    Mutant(
        "nobody makes sure that a disk is unused before it is erased",
        _PARTITIONING,
        "return (guard(disk.node), *told,",
        "return (*told,",
        (*_RACES, "-k", "mounted_between"),
    ),
    Mutant(
        "the name of a finished partition is taken back before it is wiped, which fails where it is in use",
        _CONTENTS,
        """            *volume.wipe(),
            # Only after the wipe: unfinished content is made again without consent.
            *(() if volume.is_unfinished else volume.mark(name + UNFINISHED)),
""",
        """            *(() if volume.is_unfinished else volume.mark(name + UNFINISHED)),
            *volume.wipe(),
""",
        (*_RACES, "-k", "finished_and_mounted"),
    ),
    Mutant(
        "mkfs.btrfs believes what libblkid remembers of a partition that has just been wiped",
        "src/subfloor/storage/filesystems.py",
        'env={"BLKID_FILE": "/dev/null"},',
        "",
        (*_RACES, "-k", "remember"),
    ),
    Mutant(
        "what no program knows counts as nothing",
        "src/subfloor/observe/disk/subject.py",
        "return (UNKNOWN_DATA,) if not kinds and (any(head + tail) or not zeros) else ()",
        "return ()",
        ("tests/unit/observe/test_probes.py", "-k", "single_byte"),
    ),
    Mutant(
        "an erased disk keeps what was at its ends",
        _PARTITIONING,
        '(Command(("wipefs", "--all", "--quiet", disk.node)), _sampled(disk), ends)',
        '(Command(("wipefs", "--all", "--quiet", disk.node)),)',
        _steps("wipefs"),
    ),
    Mutant(
        "a partition that is seen to be in use is made again",
        "src/subfloor/steps/volumes/volume.py",
        "if self.in_use:",
        "if False:",
        _steps("mkfs"),
    ),
    Mutant(
        "a disk that is seen to be in use is erased",
        _PARTITIONING,
        "if disk.is_busy:",
        "if False:",
        (*_PROPERTIES, "-k", "in_use"),
    ),
    Mutant(
        "swap that is active is no use",
        "src/subfloor/observe/disk/users.py",
        "    for path, _ in swap.areas(swaps):\n",
        "    for path, _ in ():\n",
        (*_SEEN, "-k", "active_swap"),
    ),
    # Consent.
    Mutant(
        "consent for any device is consent for all",
        "src/subfloor/core/consent.py",
        "return bool(self.names_for(loss))",
        "return bool(self.devices)",
        (*_ENGINE, "-k", "consent"),
    ),
    Mutant(
        "a step that destroys is taken without consent",
        _APPLY,
        "if lacking := self.consent.lacking(step):",
        "if (lacking := self.consent.lacking(step)) and False:",
        (*_ENGINE, "-k", "consent"),
    ),
    Mutant(
        "a plan that lacks consent is not refused",
        "src/subfloor/core/engine.py",
        "if not lacking or report.error:",
        "if True:",
        (*_ENGINE, "-k", "consent"),
    ),
    Mutant(
        "where one task is refused the others are applied",
        "src/subfloor/act/run.py",
        "if not _all_stand(plans):",
        "if False:",
        ("tests/unit/cli/test_cli.py", "-k", "nothing_is_touched"),
    ),
    # What is ours.
    Mutant(
        "any GPT counts as our own",
        _WIPEFS,
        "ours = isinstance(disk.table, gpt.Gpt) and disk.table.id == self.identity.disk(self.disk)",
        "ours = isinstance(disk.table, gpt.Gpt)",
        _steps("wipefs"),
    ),
    Mutant(
        "somebody else's partition of that number is formatted",
        _MKFS,
        "if not volume.ours:",
        "if False:",
        _steps("mkfs"),
    ),
    Mutant(
        "somebody else's partition of that number counts as ours",
        _PARTITION,
        "if there.uuid != declared.uuid(table):",
        "if False:",
        _steps("aligned-partition"),
    ),
    Mutant(
        "two disks that have changed names are laid out all the same",
        _PARTITIONING,
        "if other is not None:",
        "if False:",
        ("tests/disks/test_refused_disks.py", "-k", "swapped"),
    ),
    Mutant(
        "a copy of our filesystem elsewhere is no obstacle",
        _CONTENTS,
        "    check_unique(volume, wanted)\n",
        "",
        _steps("mkfs"),
    ),
    Mutant(
        "a partition is shrunk",
        f"{_PARTITIONS}/mending.py",
        "if size < there.size:",
        "if False:",
        _steps("aligned-partition"),
    ),
    Mutant(
        "free space is taken without a look at what it holds",
        _OWNERSHIP,
        "    if disk.is_cleared(start, start + size):",
        "    if True:",
        _steps("aligned-partition"),
    ),
    Mutant(
        "whatever an unfinished partition holds is wiped unasked",
        _OWNERSHIP,
        "    return ours and entry.name",
        "    return entry.name",
        _steps("mkfs"),
    ),
    Mutant(
        "a finished partition of ours is removed unasked",
        f"{_PARTITIONS}/removing.py",
        "destroys=losses_of_partitions(on.machine, on.path, disk, finished, why),",
        "",
        _steps("aligned-partition"),
    ),
    Mutant(
        "another system's partition is taken over unasked",
        "src/subfloor/steps/volumes/partition.py",
        """            destroys=self.losses("not made by this play"),
""",
        "",
        _steps("mkfs"),
    ),
    Mutant(
        "what was agreed to go is put back in the same run",
        _APPLY,
        "return machine.updated(remembering(step.after, seen)), True",
        "return machine.updated(seen), True",
        (*_BEFORE, "-k", "case_29"),
    ),
    Mutant(
        "a label that is changed is not marked as being changed",
        "src/subfloor/steps/relabelling.py",
        "*(_marked(volume, tools) if not volume.in_use else ()),",
        "",
        _steps("mkfs"),
    ),
    Mutant(
        "a disk that is another than the one that was shown is written all the same",
        _APPLY,
        "        check_same_disks(self._planned, now.only(task.subjects()))\n",
        "",
        ("tests/disks/test_consent_for_this_disk.py", "-k", "mid_run"),
    ),
    # How a step is taken.
    Mutant(
        "nobody looks again once the lock is had",
        _APPLY,
        "if now != machine or seen.only(further) != further:",
        "if False:",
        (*_ENGINE, "-k", "meanwhile"),
    ),
    Mutant(
        "what was promised is not verified",
        _APPLY,
        "if not broken:",
        "if True:",
        (*_ENGINE, "-k", "promise or found_out"),
    ),
    Mutant(
        "what comes late is not waited for",
        _APPLY,
        "deadline = time.monotonic() + max(_PATIENCE, step.patience)",
        "deadline = 0.0",
        (*_ENGINE, "-k", "late"),
    ),
    Mutant(
        "a command that failed is passed over",
        _APPLY,
        "if command.went_well(result.status):",
        "if True:",
        (*_ENGINE, "-k", "fails"),
    ),
    Mutant(
        "a disk is written without its lock",
        _APPLY,
        "with self.shell.locked(step.locks, self._wait):",
        "if True:",
        (*_RACES, "-k", "two_runs"),
    ),
    Mutant(
        "a command that hangs is left running",
        _HOST,
        """            (end_group if wait else abandon_group)(self.host.prefix, self._group)
            force_group(self._process.pid)""",
        "            self._process.kill()",
        ("tests/unit/act/test_host.py", "-k", "hangs"),
    ),
    Mutant(
        "a step that writes to no disk locks nothing",
        _HOST,
        "for lock in locks.of_disks(devices) or [self._machine_lock()]:",
        "for lock in locks.of_disks(devices):",
        ("tests/disks/test_others_at_work.py", "-k", "case_67"),
    ),
    Mutant(
        "a command that does not heed SIGTERM is not forced",
        "src/subfloor/act/process_group.py",
        "for signal in TERM KILL; do",
        "for signal in TERM; do",
        ("tests/unit/act/test_host.py", "-k", "heed_sigterm"),
    ),
    Mutant(
        "what turned up on a disk after its loss was agreed to is lost, too",
        "src/subfloor/act/device_guard.py",
        "if before != after or before.describe() != after.describe():",
        "if False:",
        ("tests/disks/test_consent_for_this_disk.py", "-k", "not_shown"),
    ),
    Mutant(
        "nobody looks back at the end of a run",
        "src/subfloor/act/run.py",
        "            self._look_back()\n",
        "",
        (*_ENGINE, "-k", "case_65"),
    ),
    Mutant(
        "a step begins before its line in the log is on the disk",
        "src/subfloor/report/log.py",
        "**_step(event.step), flush=True)",
        "**_step(event.step))",
        ("tests/unit/report/test_log.py", "-k", "flushed"),
    ),
    Mutant(
        "the command line that goes on repeats consent that is over",
        "src/subfloor/cli/resume.py",
        'return word in needed or word[max(word.find(":/") + 1, 0) :] in needed',
        "return True",
        ("tests/unit/cli/test_resume.py",),
    ),
    # What the kernel is told.
    Mutant(
        "the kernel is not told of new partitions",
        _PARTITIONING,
        """    return (*gone, _partx(disk, "--update", "--nr", f"1:{max(numbers)}"))""",
        "    return ()",
        ("tests/disks/test_filesystems.py", "-k", "every_filesystem"),
    ),
    Mutant(
        "the kernel is told of partitions up to the first gap only",
        _PARTITIONING,
        """return (*gone, _partx(disk, "--update", "--nr", f"1:{max(numbers)}"))""",
        """return (*gone, _partx(disk, "--update"))""",
        _steps("aligned-partition"),
    ),
    Mutant(
        "sfdisk asks the kernel to read a table anew while a partition is in use",
        _PARTITIONING,
        """_SFDISK = ("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel")""",
        """_SFDISK = ("sfdisk", "--quiet")""",
        ("tests/disks/test_damaged_tables.py", "tests/disks/test_disk_sizes.py", "-k", "mounted"),
    ),
    # How it is looked.
    Mutant(
        "a probe that failed has found nothing",
        _DISK,
        "    _must_have_worked(self.path, wipefs=signatures, blkid=volumes, sha256sum=zeros, od=elsewhere)\n".replace(
            "    ", "        ", 1
        ),
        "",
        (*_SEEN, "-k", "probe_that_fails"),
    ),
    Mutant(
        "half of what was to be read is enough",
        _DISK,
        "return end.status != 0 or len(end.stdout) != min(ENDS, disk.size)",
        "return False",
        (*_SEEN, "-k", "read_short"),
    ),
    Mutant(
        "a disk that cannot be read is blank",
        _PROBES,
        """read -r size < "$s/size" && readable "$n" 0 "$size" || exit {UNREADABLE}\n""",
        "",
        ("tests/disks/test_disk_probes.py", "-k", "cannot_be_read"),
    ),
    Mutant(
        "the checksum of a table's entries is not looked at",
        _GPT,
        " or zlib.crc32(data) != header.crc:",
        ":",
        ("tests/unit/storage/test_gpt.py", "-k", "damaged"),
    ),
    Mutant(
        "the two copies of a table are not compared",
        _GPT,
        'return frozenset() if same else frozenset({"the two tables differ"})',
        "return frozenset()",
        ("tests/unit/storage/test_gpt.py", "-k", "differ"),
    ),
    Mutant(
        "a damaged table counts as sound",
        _LABEL,
        "        if table.damage:\n",
        "        if False:\n",
        _steps("gpt-label"),
    ),
    # Files and mounts.
    Mutant(
        "content that a bind would hide is hidden",
        "plugins/bind_persist.py",
        'copy = copies.copy(machine, bind, hiding, self.existing == "copy") if hiding != Hiding() else None',
        "copy = None",
        ("tests/disks/test_bind_persist.py", "-k", "bind_over_content"),
    ),
    Mutant(
        "a file is renamed before it is flushed",
        _FILES,
        ', "conv=fsync", "status=none"), stdin=content)',
        ', "status=none"), stdin=content)',
        _steps("nixos-config"),
    ),
    Mutant(
        "a file is copied into its place",
        _FILES,
        """        Command(("mv", "-f", "-T", "--", temporary, path)),\n        Command(("sync",""",
        """        Command(("cp", "-f", "-T", "--", temporary, path)),\n        Command(("sync",""",
        _steps("nixos-config"),
    ),
    Mutant(
        "the name of a new file is not flushed",
        _FILES,
        """        Command(("sync", "--", folder)),\n""",
        "",
        _steps("nixos-config"),
    ),
    # An installed NixOS.
    Mutant(
        "the release of an installed system changes as the play says",
        "src/subfloor/nixos/releases.py",
        "if given and there and given != there and known.is_installed and not overwrite:",
        "if False:",
        ("tests/unit/nixos/test_releases.py",),
    ),
    Mutant(
        "a rerun from a newer installer takes its release",
        "src/subfloor/nixos/releases.py",
        "if found := given or there:",
        "if found := given:",
        ("tests/unit/nixos/test_releases.py",),
    ),
    Mutant(
        "a file that git does not track is left out of a flake without a word",
        "src/subfloor/nixos/tracked.py",
        "if names := sorted(repository.untracked - set(own)):",
        "if names := sorted(repository.untracked & set(own)):",
        _steps("nixos"),
    ),
    Mutant(
        "systemd-boot is written for a machine that a BIOS starts",
        "src/subfloor/nixos/boot.py",
        "if booting.loader is None and not uefi:",
        "if booting.loader is None and uefi is None:",
        _steps("nixos-config"),
    ),
    Mutant(
        "a hash that was cut short is taken",
        "src/subfloor/nixos/crypt.py",
        "    if method.is_whole(text):\n",
        "    if text:\n",
        ("tests/unit/nixos/test_crypt.py",),
    ),
    # Disks that other tools left.
    Mutant(
        "whatever is in the place of a copy counts as that copy, damaged",
        _GPT,
        "    if header is None or entries is None or not _may_be_header(good, header):\n        return False",
        "    if header is not None:\n        return True\n    if entries is None:\n        return False",
        ("tests/unit/storage/test_tables_of_others.py",),
    ),
    Mutant(
        "the slots of a hybrid MBR are made anew with those of the table",
        "src/subfloor/storage/mbr.py",
        "    if not any(map(_is_protective, slots)):\n        slots[0] = _protective(sectors)",
        "    slots = [_protective(sectors), _EMPTY, _EMPTY, _EMPTY]",
        ("tests/unit/storage/test_tables_of_others.py",),
    ),
    Mutant(
        "what lies between the ends of a disk is not looked at",
        _PROBES,
        "between() {{ ( places | samples ); }}",
        "between() {{ ( pages=0; places | samples ); }}",
        ("tests/disks/test_odd_tables.py", "-k", "unknown_data"),
    ),
    Mutant(
        "an identity that another disk carries is not refused",
        _APPLY,
        "    reports = refuse_duplicate_uuids(own, seen.get(carriers, ()), reports)\n",
        "",
        ("tests/disks/test_identity_of_one_disk.py",),
    ),
    Mutant(
        "consent for one host is consent on all",
        "src/subfloor/core/consent.py",
        "        found[host].add(name)",
        "        for each in found.values():\n            each.add(name)",
        ("tests/unit/cli/test_cli.py", "-k", "one_host"),
    ),
    # What a report says of drift, and what a saved plan binds.
    Mutant(
        "a drift report: missing consent is the cause of what comes later",
        "src/subfloor/act/causes.py",
        "return report.outcome in _STOPPED and not isinstance(report.error, ConsentNeeded)",
        "return report.outcome in _STOPPED",
        ("tests/unit/act/test_causes.py",),
    ),
    Mutant(
        "a drift report: what needs a person seems to need consent only",
        "src/subfloor/core/outcome.py",
        "return HostOutcome.REFUSED if self._needs_a_person else HostOutcome.NEEDS_CONSENT",
        "return HostOutcome.NEEDS_CONSENT",
        ("tests/unit/act/test_causes.py",),
    ),
    Mutant(
        "a drift report: an unfinished partition counts as set up",
        "src/subfloor/act/survey.py",
        "return Stage.PARTLY if unfinished or held != wanted else Stage.FULLY",
        "return Stage.PARTLY if held != wanted else Stage.FULLY",
        ("tests/unit/act/test_survey.py",),
    ),
    Mutant(
        "a drift report: no partition is undeclared",
        "src/subfloor/report/layout.py",
        "if span.number and (disk.path, span.number) not in survey.declared",
        "if span.number and not survey.declared",
        ("tests/unit/report/test_formats.py",),
    ),
    Mutant(
        "a saved plan: whatever would be done is accepted",
        "src/subfloor/cli/planning.py",
        "if changes := plan.changes(reports):",
        "if not (changes := plan.changes(reports)):",
        ("tests/unit/cli/test_plans.py",),
    ),
    Mutant(
        "a saved plan: a step that is not in it is taken",
        "src/subfloor/cli/planning.py",
        "if not plan.has(step):",
        "if not step.says:",
        ("tests/unit/cli/test_plans.py",),
    ),
    Mutant(
        "a saved plan: another disk under the same name is accepted",
        "src/subfloor/report/plan.py",
        'if disk not in saved["disks"]:',
        'if disk["path"] not in [each["path"] for each in saved["disks"]]:',
        ("tests/disks/test_saved_plan.py",),
    ),
    Mutant(
        "a saved report is written in place",
        "src/subfloor/cli/files.py",
        "    _replace(path.resolve(), text)",
        '    path.write_text(text, "utf-8")',
        ("tests/unit/cli/test_saved_files.py",),
    ),
    # Subvolumes, swap files, and a root that is rolled back.
    Mutant(
        "any swap file counts as ours",
        "plugins/swap_file.py",
        'if (state.content, state.uuid) != ("swap", self._uuid(machine)):',
        'if state.content != "swap":',
        _steps("swap-file"),
    ),
    Mutant(
        "the image of a hibernated system is no reason to refuse",
        "plugins/swap_file.py",
        'if state.content == "swsuspend":',
        'if state.content == "":',
        _steps("swap-file"),
    ),
    Mutant(
        "a subvolume that cannot be read counts as absent",
        "src/subfloor/observe/subvolume.py",
        "        if found.status == _ABSENT:\n",
        "        if found.status:\n",
        ("tests/unit/observe/test_subvolume.py",),
    ),
    Mutant(
        "NoCOW is set although files are there",
        "plugins/btrfs_subvolume.py",
        '            self._check_empty(state, "+C" if self.nodatacow else "-C")\n',
        "",
        _steps("btrfs-subvolume"),
    ),
    Mutant(
        "a rollback removes whatever the list of subvolumes seems to say",
        "src/subfloor/nixos/rollback.py",
        """case $inner in "$1"/*) remove "$inner" ;; esac""",
        """case $inner in "$1"/* | @nix) remove "$inner" ;; esac""",
        ("tests/disks/test_root_rolled_back.py",),
    ),
    Mutant(
        "the old root is removed before the new one is there",
        "src/subfloor/nixos/rollback.py",
        """    mv -T "$top/$root" "$top/$root.former-1"\n""",
        """    remove "$root"\n""",
        ("tests/disks/test_root_rolled_back.py",),
    ),
    Mutant(
        "a root is rolled back before an attempt to resume",
        "src/subfloor/nixos/rollback.py",
        '"after": [device, *_RESUMING],',
        '"after": [device],',
        ("tests/unit/nixos/test_rollback.py",),
    ),
    Mutant(
        "the Nix store may lie on a root that is rolled back",
        "src/subfloor/nixos/rollback.py",
        'needed = ("/nix/store", ',
        "needed = (",
        ("tests/unit/nixos/test_rollback.py",),
    ),
)
