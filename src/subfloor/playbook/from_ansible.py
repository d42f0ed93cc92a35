"""Words of Ansible that subfloor does not have, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping

_COLLECTIONS = ("ansible.builtin.", "ansible.legacy.", "ansible.posix.", "community.general.", "community.crypto.")

_COMMAND = "write `command: {argv: […], creates: PATH}` or `command: {script: …, unless: …}`, so that it can be checked"
_FILES = "it is not part of preparing disks: use `command`, or let the installed system's configuration write it"

_TASKS: Mapping[str, str] = {
    "filesystem": "write `mkfs: {device: …, type: ext4, label: …}`",
    "parted": "write `gpt-label: {device: …}` for the table, and `aligned-partition: {device: …, number: 1, "
    "name: …, type: linux, size: 8GiB}` for each partition",
    "shell": _COMMAND,
    "script": _COMMAND,
    "raw": _COMMAND,
    "mkswap": "write `mkfs: {device: …, type: swap}`, then `swap: {device: …}`",
    "swapon": "write `swap: {device: …}`",
    "file": "write `directory: {path: …, owner: …, mode: …}` for a directory; there is no task for files and links",
    "luks_device": "write `luks: {device: …, name: …, passphrase: …}`",
    "crypttab": "write `luks`; `nixos-config` declares what the installed system must open",
    "lvg": "write `volume-group: {name: …, devices: […]}`",
    "lvol": "write `logical-volume: {group: …, name: …, size: …}`",
    "mdadm": "write `raid: {name: …, level: 1, devices: […]}`",
    "zfs": "ZFS is not supported: use `mkfs: {type: btrfs}` and `btrfs-subvolume`",
    "copy": _FILES,
    "template": _FILES,
    "lineinfile": _FILES,
    "blockinfile": _FILES,
    "get_url": _FILES,
    "package": _FILES,
    "apt": _FILES,
    "service": _FILES,
    "systemd": _FILES,
    "user": "write `password-file` for a password hash; the installed system's configuration makes users",
    "setup": "remove it: no facts are gathered, tasks look at what they need",
    "debug": "remove it: `subfloor check -v` shows what each task finds and would do",
    "set_fact": "write `vars:` in the play or at the task; values are evaluated where they are used",
    "include_vars": "write `vars_files: [FILE]` in the play, or give `-e @FILE`",
    "pause": "remove it: a step ends when the machine shows its result",
    "wait_for": "remove it: a step ends when the machine shows its result",
    "reboot": "remove it: nothing that subfloor does needs a reboot",
    "meta": "remove it: there are no handlers and no facts",
}

KEYS: Mapping[str, str] = {
    **dict.fromkeys(("include_tasks", "import_tasks", "include_role", "import_role"), "write `include: FILE`"),
    "import_playbook": "name several playbooks on the command line, or `include` their tasks",
    **dict.fromkeys(("with_items", "with_list", "with_dict", "with_sequence", "with_fileglob"), "write `loop:`"),
    "loop_control": "remove it: the variable of a loop is `item`",
    "until": "remove it: a step waits until the machine shows its result",
    "retries": "remove it: a step waits until the machine shows its result",
    "register": "remove it: tasks pass no values to each other, since a plan is made before anything runs; "
    "a task that depends on another looks at the machine itself (`command` with `unless` or `creates`)",
    **dict.fromkeys(
        ("notify", "handlers", "listen"), "put the task where it is needed; it does nothing if it is in sync"
    ),
    **dict.fromkeys(("pre_tasks", "post_tasks"), "put the tasks into `tasks`, in their order"),
    **dict.fromkeys(("rescue", "always"), "remove it: after an error a run stops, and the same command resumes it"),
    "roles": "write `include: FILE` in `tasks`",
    "gather_facts": "remove it: no facts are gathered, tasks look at what they need",
    **dict.fromkeys(
        ("become", "become_user", "become_method"),
        "remove it, and run subfloor as root; for a host over ssh, set `subfloor_become: sudo` in the inventory",
    ),
    **dict.fromkeys(
        ("remote_user", "connection", "port"),
        "set `subfloor_user`, `subfloor_connection` or `subfloor_port` for the host in the inventory",
    ),
    "vars_prompt": "remove it, and give `-e NAME=…`, `--ask-passphrase NAME` or `--ask-password NAME`",
    **dict.fromkeys(
        ("strategy", "throttle", "forks", "order"),
        "remove it: all hosts are looked at before any is changed; --forks says how many at the same time, "
        "`serial` how many before the next ones begin",
    ),
    **dict.fromkeys(("delegate_to", "run_once", "local_action"), "write a separate play for that host"),
    "environment": "use `command` with a `script` that sets the variables",
    **dict.fromkeys(("async", "poll"), "remove it: a step ends when its command ends"),
    "no_log": "remove it: secrets are never shown; give them by `--ask-passphrase` or `--secret`",
    "ignore_errors": "remove it: after an error the state of a disk is not safe to continue from",
    "ignore_unreachable": "remove it: a host that cannot be reached has status 4",
    **dict.fromkeys(("failed_when", "changed_when"), "remove it: a task counts as changed if it takes a step"),
    "check_mode": "remove it: `subfloor check` changes nothing, `subfloor apply` applies",
    "any_errors_fatal": "write `max_fail_percentage: 0` in the play: no host may fail",
    "collections": "remove it: `subfloor tasks` lists the tasks",
}
"""What to write instead of keys of plays and of entries in Ansible."""

_PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "mount": {
        "src": "write `source`",
        "fstype": "write `type`",
        "opts": "write `options`, as a list: `options: [noatime]`",
        "state": "remove it: the task mounts it; `nixos-config` declares it for the installed system",
        **dict.fromkeys(("dump", "passno", "boot", "fstab", "backup"), "remove it: no fstab is written"),
    },
    "mkfs": {
        "dev": "write `device`",
        "fstype": "write `type`",
        "opts": "write `options`, as a list",
        "force": "remove it; data is erased only with consent: `--destroy DEVICE`",
        "resizefs": "remove it: a filesystem grows with its volume",
        "state": "remove it; `wipefs` erases a disk",
    },
    "directory": {
        "state": "remove it",
        "recurse": "remove it: only the directory itself is changed",
        "dest": "write `path`",
    },
    "command": {
        "cmd": "write `argv` as a list, or `script`",
        "_raw_params": "write `argv` as a list, or `script`",
        "chdir": "write `script: cd … && …`",
        "removes": "write `unless: test ! -e PATH`",
    },
    "luks": {"keyfile": "write `key_file`", "state": "remove it", "keysize": "write `key_size`"},
}

_VARIABLES: Mapping[str, str] = {
    **dict.fromkeys(
        ("lookup", "query", "q"),
        "give the value on the command line: `-e NAME=…`, or for a secret `--secret NAME=env:VARIABLE`, "
        "`--secret NAME=file:PATH` or `--secret NAME=command:COMMAND`",
    ),
    **dict.fromkeys(("hostvars", "groups"), "use the host's own variables, `inventory_hostname` or `group_names`"),
    "ansible_check_mode": "remove it: `check` and `apply` plan the same steps",
    "omit": "write `none`: a parameter whose value is nothing counts as not given",
}


def task(key: str) -> str:
    """What to write instead of a task of Ansible; empty for any other name."""
    return _TASKS.get(bare(key), "")


def bare(key: str) -> str:
    """A task's key without the name of a collection of Ansible."""
    return next((key.removeprefix(each) for each in _COLLECTIONS if key.startswith(each)), key)


def parameter(key: str, name: str) -> str:
    """What to write instead of a parameter of Ansible's task of the same name; empty for any other parameter."""
    return _PARAMETERS.get(key, {}).get(name, "")


def variable(name: str) -> str:
    """What to write instead of a variable or function of Ansible; empty for any other name."""
    if name.startswith("ansible_") and name not in _VARIABLES:
        return "no facts are gathered: give the value by `-e`, in the inventory or in `vars`"
    return _VARIABLES.get(name, "")
