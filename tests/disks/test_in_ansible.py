"""Plays through the collection subfloor.core, by a real ansible-playbook, on real disks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_desk import AnsibleDesk, of_host
from cli_workspace import Workspace
from loop_disks import LoopDisk, MakeDisk, disk, run, said
from sshd_server import MakeSshd, sshd
from sudo_stand_in import sudo

pytestmark = pytest.mark.root
__all__ = ["disk", "sshd"]

WHOLE: list[dict[str, Any]] = [
    {"wipefs": {"device": "{{ disk }}"}},
    {"gpt-label": {"device": "{{ disk }}"}},
    {"aligned-partition": {"device": "{{ disk }}", "number": 1, "type": "linux", "name": "data", "size": "rest"}},
    {"mkfs": {"device": "{{ disk }}p1", "type": "ext4", "label": "data"}},
]
ALONE = [{f"subfloor.core.{key.replace('-', '_')}": each} for task in WHOLE for key, each in task.items()]
"""The same tasks, each as one of Ansible."""


def play(seed: str, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": "The disk", "subfloor.core.play": {"seed": seed, "tasks": tasks}}


def seen(disk: LoopDisk) -> str:
    """All that identifies what is on a disk."""
    return said("sfdisk", "--dump", disk.node) + said("blkid", "-p", "-o", "export", disk.partition(1))


def blank(disk: LoopDisk) -> None:
    disk.forget_partitions()
    disk.put(0, bytes(disk.image.stat().st_size))


def test_a_play_changes_the_same_in_ansible_on_several_hosts(tmp_path: Path, disk: MakeDisk) -> None:
    one, two = disk("64MiB"), disk("64MiB")
    seed, local = f"fleet {one.node} {tmp_path}", Workspace(tmp_path)
    workspace = AnsibleDesk(tmp_path)
    hosts = {"one": one, "two": two}
    inventory = workspace.hosts(
        **{name: {"ansible_connection": "local", "disk": each.node} for name, each in hosts.items()}
    )
    before = [one.digest(), two.digest()]
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "all", "seed": seed, "tasks": WHOLE}]))
    planned = local.document("check", "-i", str(inventory))

    task = {"name": "The disk", "subfloor.core.play": {"playbook": str(tmp_path / "play.yml")}}
    told = workspace.run([task], "--check", "--diff", "--forks", "2")
    assert [one.digest(), two.digest()] == before
    for host in ("one", "two"):
        (result,) = of_host(told, host)
        expected = planned["hosts"][host]["tasks"]
        assert result["changed"] and not result.get("failed"), workspace.output
        assert [each["outcome"] for each in result["tasks"]] == [each["outcome"] for each in expected]
        steps = [[step["says"] for step in each["steps"]] for each in expected]
        assert [each["steps"] for each in result["tasks"]] == steps
        assert "GPT" in result["diff"][0]["after"]

    (result,) = of_host(workspace.run([task], "--forks", "2", "--limit", "one"), "one")
    assert [each["outcome"] for each in result["tasks"]] == ["ok", "changed", "changed", "changed"], workspace.output
    assert two.digest() == before[1]
    by_ansible = seen(one)
    blank(one)
    assert local.run("apply", "--yes", "-i", str(inventory)).exit_code == 0
    assert seen(one) == by_ansible

    told = workspace.run([play(seed, WHOLE), *ALONE], "--forks", "2", "--diff", vars={"subfloor_seed": seed})
    assert len(told) == 10 and not any(each["result"]["changed"] for each in told), workspace.output
    assert not any(each["result"]["diff"] for each in told)


def test_tasks_of_ansible_on_a_host_without_python(tmp_path: Path, disk: MakeDisk, sshd: MakeSshd) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for each in Path(folder).iterdir():
            if "python" not in each.name and not (programs / each.name).is_symlink():
                (programs / each.name).symlink_to(each)
    forced = f'ForceCommand exec env PATH={programs} sh -c "$SSH_ORIGINAL_COMMAND"'
    loop, at, workspace = disk(), sshd(forced), AnsibleDesk(tmp_path)
    workspace.hosts(
        far={
            "ansible_host": "127.0.0.1",
            "ansible_port": at.port,
            "ansible_user": "root",
            # The connection that its tasks share ends soon after the last one.
            "ansible_ssh_args": f"-F {at.place}/ssh_config -o ControlMaster=auto -o ControlPersist=5s",
            "disk": loop.node,
        }
    )
    run("mkfs.ext4", "-q", "-L", "precious", loop.node)
    python = {"name": "python", "ansible.builtin.raw": "command -v python3 python", "ignore_errors": True}
    seeded = {"vars": {"subfloor_seed": f"far {tmp_path}"}}
    told = workspace.run([python, *ALONE], **seeded)
    assert [(each["kind"], each["name"]) for each in told] == [("failed", "python"), ("failed", "subfloor.core.wipefs")]
    assert "'precious'" in told[1]["result"]["msg"]
    assert f"`-e subfloor_destroy={loop.node}`" in told[1]["result"]["msg"]
    assert b"precious" in run("blkid", "-p", loop.node).stdout

    consent = ("-e", f"subfloor_destroy={loop.node}")
    told = workspace.run(ALONE, *consent, **seeded)
    assert [each["result"]["changed"] for each in told] == [True] * 4, workspace.output
    assert "LABEL=data" in seen(loop) and 'name="data"' in seen(loop)


def test_what_users_of_ansible_expect(tmp_path: Path) -> None:
    """One run, on no disk: become with a password, no_log, tags, loops, vault, wrong arguments, unreachable hosts."""
    workspace = AnsibleDesk(tmp_path)
    (tmp_path / "bin").mkdir()
    workspace.hosts(
        here={
            "ansible_connection": "local",
            "ansible_become_exe": sudo(tmp_path / "bin", "s3cr3t"),
            "ansible_become_password": "s3cr3t",
            "ansible_remote_user": "somebody",
        },
        nowhere={"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_args": "-F /dev/null"},
    )
    made, key, home = tmp_path / "made", "subfloor.core.directory", tmp_path / "tagged.yml"
    home.write_text(
        json.dumps(
            [
                {
                    "hosts": "all",
                    "tasks": [
                        {"directory": {"path": f"{tmp_path}/{name}"}, "tags": [name]} for name in ("left", "right")
                    ],
                }
            ]
        )
    )
    tasks: list[dict[str, Any]] = [
        {"name": "root", "become": True, "remote_user": "somebody", key: {"path": str(made)}},
        {"name": "again", key: {"path": "{{ item }}"}, "loop": [str(made), f"{tmp_path}/{{{{ 'in' }}}}side"]},
        {"name": "silent", "no_log": True, key: {"path": str(made), "mode": "0700"}},
        {"name": "unknown", key: {"path": str(made), "colour": "red"}},
        {"name": "missing", key: {}},
        {"name": "mistake", key: {"path": "relative"}},
        {"name": "seedless", "subfloor.core.gpt_label": {"device": "/dev/none"}},
        {"name": "lonely", "subfloor.core.nixos_install": {}},
        {"name": "standing", key: {"path": str(made)}, "vars": {"subfloor_destroy": "/dev/vda"}},
        {"name": "vaulted", key: {"path": "{{ vaulted }}"}},
        {"name": "mine", "subfloor.core.play": {"tasks": [{"include": "more.yml"}]}},
        {"name": "later", "subfloor.core.play": {"playbook": str(home)}, "tags": ["left"]},
    ]
    for task in tasks:
        task.setdefault("tags", ["always"])
        task["ignore_errors"] = True
    (workspace.path / "more.yml").write_text(json.dumps([{"directory": {"path": f"{tmp_path}/included"}}]))
    told = workspace.run(tasks, "--tags", "left", *workspace.vault(vaulted=f"{tmp_path}/vaulted"), strategy="free")
    assert [each["kind"] for each in told if each["host"] == "nowhere"] == ["unreachable"], workspace.output
    found = {each["name"]: each for each in told if each["host"] == "here"}
    assert {name: each["kind"] for name, each in found.items()} == {
        **dict.fromkeys(("root", "again", "silent", "vaulted", "mine", "later"), "ok"),
        **dict.fromkeys(("unknown", "missing", "mistake", "seedless", "lonely", "standing"), "failed"),
    }, workspace.output
    results = {name: each["result"] for name, each in found.items()}
    assert results["root"]["changed"] and results["root"]["invocation"]["module_args"] == {"path": str(made)}
    assert [each["changed"] for each in results["again"]["results"]] == [False, True]
    assert "steps" not in results["silent"] and "censored" in results["silent"]
    assert "colour" in results["unknown"]["msg"]
    assert "missing required arguments: path" in results["missing"]["msg"]
    assert "`subfloor_seed`" in results["seedless"]["msg"]
    assert "put it into the `tasks` of `subfloor.core.play`" in results["lonely"]["msg"]
    assert "`subfloor_destroy` is set in a playbook" in results["standing"]["msg"]
    assert (tmp_path / "left").is_dir() and not (tmp_path / "right").exists()
    assert all((tmp_path / name).is_dir() for name in ("inside", "included", "vaulted"))
    assert made.stat().st_mode & 0o777 == 0o700
