"""Inventories: groups, precedence, patterns, connections, and what is said of mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from places import ROOT
from playbook_samples import written
from subfloor.playbook import inventory, strict_yaml
from subfloor.playbook.connections import Connection
from subfloor.playbook.inventory import LOCALHOST, Inventory
from subfloor.playbook.job import Request, read_job
from subfloor.playbook.positions import PlaybookError
from subfloor.playbook.variables import extra_vars

REPOSITORY = ROOT

HOSTS = """\
all:
  vars: {level: all, a: all}
  hosts:
    lonely: {level: host}
  children:
    outer:
      vars: {level: outer, b: outer}
      hosts:
        web1: {c: host}
      children:
        inner:
          vars: {level: inner}
          hosts: {db1: , db2: {level: host}}
    sibling:
      vars: {level: sibling, b: sibling}
      hosts: {web1: {d: host}, web2: }
"""


def read(directory: Path, text: str = HOSTS) -> Inventory:
    return inventory.load(written(directory, text, "hosts.yml"))


def said(directory: Path, text: str) -> str:
    """The error's text, without the directory."""
    with pytest.raises(PlaybookError) as caught:
        read(directory, text)
    return str(caught.value).replace(f"{directory}/", "")


def values(found: Inventory, name: str) -> dict[str, Any]:
    (target,) = found.matching(name)
    return {key: strict_yaml.plain(node) for key, node in target.vars.items()}


def test_variables_closer_to_a_host_override(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert values(found, "lonely") == {"level": "host", "a": "all"}
    assert values(found, "db1") == {"level": "inner", "a": "all", "b": "outer"}
    assert values(found, "db2") == {"level": "host", "a": "all", "b": "outer"}
    assert values(found, "web1") == {"level": "sibling", "a": "all", "b": "sibling", "c": "host", "d": "host"}


def test_a_host_knows_its_name_and_groups(tmp_path: Path) -> None:
    (target,) = read(tmp_path).matching("db1")
    assert target.all_vars["inventory_hostname"] == "db1"
    assert target.all_vars["group_names"] == ["all", "inner", "outer"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("all", "lonely web1 db1 db2 web2"),
        ("*", "lonely web1 db1 db2 web2"),
        ("web1", "web1"),
        ("outer", "web1 db1 db2"),
        ("web*", "web1 web2"),
        ("web2:db1", "web2 db1"),
        ("web2, db1", "web2 db1"),
        ("outer:!inner", "web1"),
        ("outer:&sibling", "web1"),
        ("!inner", "lonely web1 web2"),
        ("all:!web*:!lonely", "db1 db2"),
        ("db[12]", "db1 db2"),
        ("localhost", "localhost"),
        ("outer:web1", "web1 db1 db2"),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, names: str) -> None:
    assert [target.name for target in read(tmp_path).matching(pattern)] == names.split()


def test_a_pattern_that_matches_no_host(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError) as caught:
        read(tmp_path).matching("web1:wbe2")
    assert str(caught.value) == (
        "--limit:1:6: there is no host and no group `wbe2`\n    web1:wbe2\n         ^\n"
        "  → did you mean `web2`? If not: the inventory has all, db1, db2, inner, lonely, outer, sibling, web1, web2"
    )


def test_without_an_inventory_there_is_localhost() -> None:
    assert Inventory().matching("all") == (LOCALHOST,)
    assert LOCALHOST.connection() == Connection("local", "localhost")


@pytest.mark.parametrize(
    ("about", "machine"),
    [
        ("localhost: {}", "this one"),
        ("localhost: {subfloor_machine: any}", ""),
        ("localhost: {subfloor_machine: old board}", "old board"),
        ("nas: {subfloor_connection: local}", ""),
        ("nas: {}", ""),
        ("localhost: {subfloor_connection: ssh}", ""),
    ],
)
def test_only_a_name_that_every_machine_has_needs_the_machine(tmp_path: Path, about: str, machine: str) -> None:
    """The name of another host says which machine it is, and stays the same over ssh and locally."""
    hosts = written(tmp_path, f"all: {{hosts: {{{about}}}}}\n", "hosts.yml")
    play = [{"hosts": "all", "seed": "seed", "tasks": [{"gpt-label": {"device": "/dev/vda"}}]}]
    request = Request(playbook=written(tmp_path, json.dumps(play)), inventory=hosts)
    (work,) = read_job(request, this_machine=lambda: "this one").works
    assert vars(work.entries[0].task)["identity"].machine == machine


def test_connections(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "all:\n  vars: {subfloor_user: root}\n  hosts:\n    plain:\n    here: {subfloor_connection: local}\n"
        "    far: {subfloor_host: '192.0.2.{{ 7 }}', subfloor_port: 2222, subfloor_user: me,"
        " subfloor_become: sudo -n}\n    listed: {subfloor_become: [doas, -u, root]}\n",
    )
    by_name = {target.name: target.connection() for target in found.targets}
    assert by_name == {
        "plain": Connection("ssh", "plain", None, "root"),
        "here": Connection("local", "here", None, "root"),
        "far": Connection("ssh", "192.0.2.7", 2222, "me", ("sudo", "-n")),
        "listed": Connection("ssh", "listed", None, "root", ("doas", "-u", "root")),
    }
    (plain,) = found.matching("plain")
    assert plain.connection(extra_vars(["subfloor_user=you"])).user == "you"


def test_connections_in_ansibles_words(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "all:\n  vars: {ansible_user: ops, ansible_become: true}\n  hosts:\n"
        "    far: {ansible_host: 192.0.2.7, ansible_port: 2222, ansible_ssh_private_key_file: /k,\n"
        "      ansible_ssh_common_args: -o 'ProxyJump=a b', ansible_ssh_extra_args: '-4'}\n"
        "    ours: {subfloor_user: me, subfloor_become: [], ansible_python_interpreter: /usr/bin/python3}\n"
        "    openbsd: {ansible_become_method: doas, ansible_connection: local}\n    plain: {ansible_become: false}\n",
    )
    by_name = {target.name: target.connection() for target in found.targets}
    assert by_name == {
        "far": Connection("ssh", "192.0.2.7", 2222, "ops", ("sudo", "-n"), "/k", ("-o", "ProxyJump=a b", "-4")),
        "ours": Connection("ssh", "ours", None, "me"),
        "openbsd": Connection("local", "openbsd", None, "ops", ("doas", "-n")),
        "plain": Connection("ssh", "plain", None, "ops"),
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("subfloor_connection: telnet", '`subfloor_connection` is the text "telnet"'),
        ("subfloor_port: ssh", '`subfloor_port` cannot be the text "ssh"'),
        ("subfloor_port: true", "`subfloor_port` cannot be true"),
        ("subfloor_user: 0", "`subfloor_user` cannot be the number 0"),
        ("subfloor_host: ''", "`subfloor_host` cannot be an empty text"),
        ("ansible_port: ssh", '`ansible_port` cannot be the text "ssh"'),
        ("ansible_ssh_common_args: -o 'x", "`ansible_ssh_common_args` cannot be read: No closing quotation"),
        ("ansible_become: sudo", '`ansible_become` cannot be the text "sudo"'),
    ],
)
def test_a_connection_that_cannot_be(tmp_path: Path, given: str, message: str) -> None:
    (target,) = read(tmp_path, f"all:\n  hosts:\n    h:\n      {given}\n").targets
    with pytest.raises(PlaybookError) as caught:
        target.connection()
    column = 9 + given.index(" ") - 1
    assert str(caught.value).startswith(f"{tmp_path}/hosts.yml:4:{column}: {message}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "- web1\n",
            "hosts.yml:1:1: an inventory is a mapping of groups, but this is a list\n    - web1\n    ^\n"
            "  → start with `all:`, and below it `hosts:`",
        ),
        (
            "hosts:\n  web1:\n",
            "hosts.yml:1:1: `hosts` is outside of any group\n    hosts:\n    ^\n"
            "  → write `all:` above it, and indent it",
        ),
        (
            "all:\n  host: {web1: }\n  servers: {}\n",
            "hosts.yml:2:3: the group `all` has no `host`\n      host: {web1: }\n      ^\n"
            "  → did you mean `hosts`? If not: a group has `hosts`, `vars` and `children`; "
            "write groups of a group into `children`\n\n"
            "hosts.yml:3:3: the group `all` has no `servers`\n      servers: {}\n      ^\n"
            "  → a group has `hosts`, `vars` and `children`; write groups of a group into `children`",
        ),
        (
            "all:\n  hosts: [web1]\n",
            "hosts.yml:2:10: `hosts` is a mapping of names, but this is a list\n      hosts: [web1]\n"
            "             ^\n  → write one `NAME:` per line, with its variables below it",
        ),
        (
            "a: {children: {b: {children: {a: }}}}\n",
            "hosts.yml:1:31: the group `a` contains itself: a → b → a\n"
            "    a: {children: {b: {children: {a: }}}}\n                                  ^\n"
            "  → remove it from its own children",
        ),
        (
            "all: {hosts: {h: {ansible_host: x, subfloor_prot: 5}}}\n",
            "hosts.yml:1:36: there is no variable `subfloor_prot`\n"
            "    all: {hosts: {h: {ansible_host: x, subfloor_prot: 5}}}\n"
            "                                       ^\n  → did you mean `subfloor_port`?",
        ),
        (
            "all: {hosts: {'a b': }}\n",
            "hosts.yml:1:15: `a b` is not a valid host name\n    all: {hosts: {'a b': }}\n                  ^\n"
            "  → leave out spaces and any of `:!&,*?[]/`",
        ),
        (
            "all:\n  hosts: {h: text}\n  vars: [1]\n",
            "hosts.yml:3:9: variables are a mapping of names to values, but this is a list\n"
            "      vars: [1]\n            ^\n  → write `name: value`, one per line\n\n"
            'hosts.yml:2:14: variables are a mapping of names to values, but this is the text "text"\n'
            "      hosts: {h: text}\n                 ^\n  → write `name: value`, one per line",
        ),
        (
            "all: text\n",
            'hosts.yml:1:6: the group `all` is a mapping, but this is the text "text"\n'
            "    all: text\n         ^\n  → write `hosts:`, `vars:` or `children:` in it",
        ),
    ],
)
def test_mistakes_are_reported_with_their_positions(tmp_path: Path, text: str, expected: str) -> None:
    assert said(tmp_path, text) == expected


def test_an_inventory_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError) as caught:
        inventory.load(tmp_path / "gone.yml")
    assert str(caught.value) == (
        f"{tmp_path}/gone.yml: cannot be read: No such file or directory\n  → check the path and its permissions"
    )


def test_the_inventories_that_come_along() -> None:
    local = inventory.load(REPOSITORY / "inventory" / "local.yml")
    assert [target.connection().kind for target in local.targets] == ["local"]
    example = inventory.load(REPOSITORY / "inventory" / "example.yml")
    assert values(example, "vault")["swap_size"] == "32GiB"
    assert {target.name: target.connection().kind for target in example.targets}["localhost"] == "local"
    assert [target.name for target in example.matching("servers:!storage")] == ["web1", "web2"]


INI = """\
lonely
[web]
web1 subfloor_host=192.0.2.1 disk=/dev/vda  # the first
web2 disk="/dev/vdb" big=true count=5
[web:vars]
seed = a b # c
[site:children]
web
[db]
; nothing
"""


def test_an_inventory_in_ini_format(tmp_path: Path) -> None:
    for name in ("hosts", "hosts.ini"):
        found = inventory.load(written(tmp_path, INI, name))
        assert [target.name for target in found.targets] == ["lonely", "web1", "web2"]
        first, second = found.matching("site")
        assert first.connection().host == "192.0.2.1"
        assert {key: node.value for key, node in second.vars.items()} == {
            "disk": "/dev/vdb",
            "big": True,
            "count": 5,
            "seed": "a b # c",
        }
        assert second.groups == ("all", "site", "web")


def test_a_yaml_inventory_without_an_ending_is_yaml(tmp_path: Path) -> None:
    assert [each.name for each in inventory.load(written(tmp_path, "all: {hosts: {a: }}\n", "hosts")).targets] == ["a"]


@pytest.mark.parametrize(
    ("text", "what", "line", "column"),
    [
        ("[web\n", "this is not a section of an inventory", 1, 1),
        ("[web:var]\n", "this is not a section of an inventory", 1, 1),
        ("[web]\nweb[1:3]\n", "a range of hosts is not supported", 2, 1),
        ("[web]\na x=yes\n", "`yes` is true or false for some YAML parsers, and text for others", 2, 5),
        ("[web]\na nothing\n", "this is not NAME=VALUE", 2, 1),
        ("[web]\na subfloor_hots=b\n", "there is no variable `subfloor_hots`", 2, 3),
    ],
)
def test_mistakes_in_ini_format(tmp_path: Path, text: str, what: str, line: int, column: int) -> None:
    with pytest.raises(PlaybookError) as caught:
        inventory.load(written(tmp_path, text, "hosts"))
    assert (caught.value.what, caught.value.where.line) == (what, line)


def test_a_list_of_hosts(tmp_path: Path) -> None:
    assert [each.name for each in inventory.load(Path("localhost,")).targets] == ["localhost"]
    assert [each.name for each in inventory.load(Path("web1, web2")).targets] == ["web1", "web2"]
    with pytest.raises(PlaybookError, match="not a valid host name"):
        inventory.load(Path("web 1,"))


def test_files_of_group_and_host_variables(tmp_path: Path) -> None:
    hosts, plays = tmp_path / "hosts", tmp_path / "plays"
    for directory in (hosts, plays):
        for each in ("group_vars/all", "group_vars", "host_vars"):
            (directory / each).mkdir(parents=True, exist_ok=True)
    written(hosts, "all:\n  children:\n    web: {hosts: {w: {d: inline, e: inline}}, vars: {c: inline}}\n", "hosts.yml")
    written(hosts / "group_vars/all", "{a: hosts, b: hosts, c: hosts, d: hosts}\n", "one.yml")
    written(plays / "group_vars/all", "{b: plays}\n", "two.yml")
    written(hosts / "group_vars", "{c: web}\n", "web.yml")
    written(plays / "host_vars", "{e: w}\n", "w.yml")
    written(plays / "host_vars", "{e: local}\n", "localhost.yml")
    found = inventory.load(hosts / "hosts.yml", plays)
    values = {key: node.value for key, node in found.targets[0].vars.items()}
    assert values == {"a": "hosts", "b": "plays", "c": "web", "d": "inline", "e": "w"}
    (local,) = inventory.load(None, plays).targets
    assert {key: node.value for key, node in local.vars.items()} == {"b": "plays", "e": "local"}


def test_mistakes_in_files_of_variables_are_reported_once(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    written(tmp_path / "group_vars", "a: no\n", "all.yml")
    written(tmp_path, "all: {hosts: {a: , b: }}\n", "hosts.yml")
    with pytest.raises(PlaybookError) as caught:
        inventory.load(tmp_path / "hosts.yml")
    assert [str(each.where) for each in caught.value.all] == [f"{tmp_path}/group_vars/all.yml:1:4"]


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ('{"a": 1, "b": [true]}', {"a": 1, "b": [True]}),
        ("{a: x}", {"a": "x"}),
        ("a=1 b=x c='d e'", {"a": 1, "b": "x", "c": "d e"}),
        ("title=my disk", {"title": "my disk"}),
        ("title=my disk b=2", {"title": "my disk b=2"}),
        ('a="x b=c"', {"a": "x b=c"}),
        ("a={{ b }}", {"a": "{{ b }}"}),
    ],
)
def test_values_of_the_command_line(argument: str, values: dict[str, object]) -> None:
    assert {name: strict_yaml.plain(node) for name, node in extra_vars([argument]).items()} == values


def test_a_mistake_in_one_of_several_assignments_has_its_column() -> None:
    with pytest.raises(PlaybookError) as caught:
        extra_vars(["a=1 b=no"])
    assert caught.value.where.column == 7


@pytest.mark.parametrize(("name", "value"), [("method", "su"), ("user", "postgres")])
def test_becoming_anything_but_root_by_sudo_or_doas_is_refused(tmp_path: Path, name: str, value: str) -> None:
    text = f"all: {{hosts: {{h: {{ansible_become: true, ansible_become_{name}: {value}}}}}}}\n"
    (target,) = read(tmp_path, text).targets
    with pytest.raises(PlaybookError, match=f'`ansible_become_{name}` is the text "{value}"'):
        target.connection()
