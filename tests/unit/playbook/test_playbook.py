"""What playbooks come to on a host: variables, conditions, loops, includes, tags, names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playbook_samples import Crew, Make, Person, entries, parameters, play, registry, written
from subfloor import playbook
from subfloor.core.errors import PluginError
from subfloor.core.identity import Identity
from subfloor.playbook.inventory import LOCALHOST, Inventory, Target
from subfloor.playbook.positions import PlaybookError, Position, Problems, Source
from subfloor.playbook.selection import select


def devices(path: Path, *extra: str, target: Target = LOCALHOST) -> list[str]:
    """The devices of the tasks that are not skipped."""
    return [parameters(entry)["device"] for entry in entries(path, *extra, target=target) if entry.task]


def test_a_task_is_built_from_its_parameters(tmp_path: Path) -> None:
    path = written(tmp_path, play("make: {device: /dev/vda1, type: ext4, options: [-m, '0'], owners: {/home: 1000}}"))
    (entry,) = entries(path)
    assert entry.task == Make(
        identity=Identity("x", "localhost"),
        device="/dev/vda1",
        type="ext4",
        options=("-m", "0"),
        owners={"/home": 1000},
    )
    assert str(entry.where) == f"{path}:4:5"


def test_an_entry_is_called_by_its_name_or_by_what_it_is_about(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        play(
            "make: {device: /dev/vda1, type: ext4}",
            "{name: 'The {{ what }} disk', wipe: {device: /dev/vda}}",
            "count: {}",
            "{wipe: {device: '{{ gone }}'}, when: false}",
            "{name: 'All of {{ gone }}', wipe: {device: '{{ gone }}'}, when: false}",
        ),
    )
    names = [entry.name for entry in entries(path, "what=whole")]
    assert names == ["make /dev/vda1", "The whole disk", "count", "wipe", "All of {{ gone }}"]


def test_the_seed_is_templated_and_each_host_has_its_own_identity(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "- hosts: all\n  seed: '{{ inventory_hostname }}-{{ n }}'\n  tasks:\n"
        "  - make: {device: /dev/vda1, type: ext4}\n",
    )
    (entry,) = entries(path, "n=5", target=Target("web1"))
    assert isinstance(entry.task, Make)
    assert entry.task.identity == Identity("web1-5", "web1")


def test_a_task_without_identity_needs_no_seed(tmp_path: Path) -> None:
    assert devices(written(tmp_path, "- hosts: all\n  tasks: [wipe: {device: /dev/vda}]\n")) == ["/dev/vda"]


PRECEDENCE = [
    ("extra", "/dev/extra"),
    ("task", "/dev/task"),
    ("include", "/dev/include"),
    ("play", "/dev/play"),
    ("host", "/dev/host"),
    ("defaults", "/dev/defaults"),
    ("part", "/dev/part"),
]


@pytest.mark.parametrize("first", range(len(PRECEDENCE)))
def test_variables_count_in_the_order_of_ansible(tmp_path: Path, first: int) -> None:
    given = dict(PRECEDENCE[first:])

    def vars_of(key: str, where: str) -> str:
        return f"{key}: {{disk: {given[where]}}}" if where in given else f"{key}: {{}}"

    written(
        tmp_path,
        f"{vars_of('defaults', 'part')}\ntasks:\n- wipe: {{device: '{{{{ disk }}}}'}}\n  {vars_of('vars', 'task')}\n",
        "part.yml",
    )
    head = f"{vars_of('vars', 'play')}\n{vars_of('defaults', 'defaults')}"
    path = written(tmp_path, play(f"include: part.yml\n    {vars_of('vars', 'include')}", head=head))
    target = Target("h", {"disk": given["host"]} if "host" in given else {})
    extra = [f"disk={given['extra']}"] if "extra" in given else []
    assert devices(path, *extra, target=target) == [PRECEDENCE[first][1]]


def test_a_variable_is_templated_where_it_is_used(tmp_path: Path) -> None:
    head = "vars: {disk: /dev/vda, part: '{{ disk }}1', unused: '{{ nowhere }}'}"
    path = written(
        tmp_path,
        play(
            "wipe: {device: '{{ part }}'}",
            "{wipe: {device: '{{ part }}'}, vars: {disk: /dev/sda}}",
            head=head,
        ),
    )
    assert devices(path) == ["/dev/vda1", "/dev/sda1"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("{{ five }}", 5),
        ("{{ five + 1 }}", 6),
        ("{{ 7 }}", 7),
        ("{{ five }}0", "50"),
        ("{{ mode }}", "0644"),
        ("{{ '12' }}", "12"),
        ("{{ '[1]' }}", "[1]"),
        ("{{ gone | default('none') }}", "none"),
        ("{% if five == 5 %}{{ five }}{% endif %}", 5),
        ("x{# comment #}", "x"),
        ("{{ mode | mandatory }}", "0644"),
    ],
)
def test_an_expression_keeps_its_type(tmp_path: Path, expression: str, value: Any) -> None:
    task = f'make: {{device: /dev/vda1, type: ext4, size: "{expression}"}}'
    (entry,) = entries(written(tmp_path, play(task, head="vars: {five: 5, mode: '0644'}")))
    assert isinstance(entry.task, Make)
    assert entry.task.size == value
    assert type(entry.task.size) is type(value)


def test_lazy_values_of_jinja_become_lists(tmp_path: Path) -> None:
    task = "make: {device: /dev/a, type: ext4, options: \"{{ range(2) | map('string') }}\"}"
    assert parameters(entries(written(tmp_path, play(task)))[0])["options"] == ("0", "1")


@pytest.mark.parametrize(
    ("disk", "node"),
    [("/dev/vda", "/dev/vda3"), ("/dev/nvme0n1", "/dev/nvme0n1p3"), ("/dev/disk/by-id/x", "/dev/disk/by-id/x-part3")],
)
def test_a_partition_by_its_disk(tmp_path: Path, disk: str, node: str) -> None:
    path = written(tmp_path, play('wipe: {device: "{{ disk | partition(3) }}"}'))
    assert devices(path, f"disk={disk}") == [node]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("true", True),
        ("false", False),
        ("swap", True),
        ("not swap", False),
        ("none_such is defined", False),
        ("[swap, disk == '/dev/vda']", True),
        ("[none_such is defined, none_such > 3]", False),
        ("zero", False),
        ("word | bool", False),
    ],
)
def test_conditions(tmp_path: Path, condition: str, holds: bool) -> None:
    head = "vars: {swap: true, zero: 0, word: 'no', disk: /dev/vda}"
    task = f"{{wipe: {{device: '{{{{ disk }}}}'}}, when: {condition}}}"
    path = written(tmp_path, play(task, head=head))
    (entry,) = entries(path)
    assert (entry.task is not None) == holds
    assert bool(entry.why_skipped) != holds


def test_a_skipped_entry_says_why(tmp_path: Path) -> None:
    path = written(tmp_path, play("{wipe: {device: /dev/a}, when: [1 == 1, swap]}"))
    (entry,) = entries(path, "swap=0")
    assert (entry.name, entry.why_skipped) == ("wipe /dev/a", "when: 1 == 1 and swap")


def test_a_loop_repeats_an_entry_and_its_condition(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        play(
            "{wipe: {device: '/dev/{{ item.name }}'}, when: item.yes, loop: '{{ disks }}'}",
            "{wipe: {device: '/dev/{{ item }}'}, loop: ['{{ one }}', c]}",
            head="vars: {one: b, disks: [{name: vda, 'yes': true}, {name: vdb, 'yes': false}]}",
        ),
    )
    assert devices(path) == ["/dev/vda", "/dev/b", "/dev/c"]
    assert len(entries(path)) == 4


def test_a_loop_over_nothing_is_skipped(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        play(
            "{wipe: {device: /dev/a}, loop: []}",
            "{wipe: {device: /dev/b}, loop: '{{ disks }}', when: disks is defined}",
        ),
    )
    assert [entry.why_skipped for entry in entries(path)] == [
        "the loop is empty",
        "when: disks is defined",
    ]


def test_includes_are_relative_to_their_file_and_may_loop(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    written(tmp_path, "- include: b.yml\n", "parts/a.yml")
    written(tmp_path, "- {wipe: {device: '/dev/{{ disk }}'}, tags: inner}\n", "parts/b.yml")
    path = written(
        tmp_path,
        play(
            "{include: 'parts/{{ file }}.yml', loop: [vda, vdb], vars: {disk: '{{ item }}', file: a}, tags: [k, l]}",
            "{include: no/such.yml, when: false}",
            head="tags: 'p, q'",
        ),
    )
    assert devices(path) == ["/dev/vda", "/dev/vdb"]
    assert entries(path)[0].tags == {"inner", "k", "l", "p", "q"}
    assert entries(path)[2].name == "include no/such.yml"


def test_an_expanding_tree_of_includes_ends(tmp_path: Path) -> None:
    for number in range(12):
        written(tmp_path, f"- include: {number + 1}.yml\n" * 4, f"{number}.yml")
    written(tmp_path, "- count: {}\n", "12.yml")
    with pytest.raises(PlaybookError, match="more than 10000 tasks"):
        entries(written(tmp_path, play("include: 0.yml")))


def test_each_task_gets_the_whole_play(tmp_path: Path) -> None:
    path = written(tmp_path, play("count: {}", "{count: {}, when: false}", "wipe: {device: /dev/a}"))
    assert parameters(entries(path)[0])["tasks"] == 2


def test_plays_stay_apart(tmp_path: Path) -> None:
    path = written(tmp_path, play("wipe: {device: /dev/a}") + play("wipe: {device: /dev/b}", head="name: two"))
    first, second = playbook.load(path, registry())
    assert (first.name, second.name, second.hosts) == ("", "two", "all")
    assert [len(each.entries(LOCALHOST)) for each in (first, second)] == [1, 1]


def test_hosts_may_be_a_list(tmp_path: Path) -> None:
    (found,) = playbook.load(written(tmp_path, "- {hosts: [all, '!web1'], tasks: []}\n"), registry())
    assert Inventory((Target("web1"), Target("web2"))).matching(found.hosts) == (Target("web2"),)


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        play(
            "make: &first {device: /dev/a, type: ext4, label: a}",
            "make: {<<: *first, device: /dev/b}",
            "make: {device: /dev/c, <<: [{label: c}, *first]}",
        ),
    )
    assert [(parameters(each)["device"], parameters(each)["label"]) for each in entries(path)] == [
        ("/dev/a", "a"),
        ("/dev/b", "a"),
        ("/dev/c", "c"),
    ]


def test_a_byte_order_mark_and_dos_line_ends_are_accepted(tmp_path: Path) -> None:
    text = play("wipe: {device: /dev/a}", "wype: {}").replace("\n", "\r\n")
    path = tmp_path / "dos.yml"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    with pytest.raises(PlaybookError) as caught:
        entries(path)
    assert str(caught.value).startswith(f"{path}:5:5: there is no task `wype`\n      - wype: {{}}\n        ^")


def test_a_directory_a_missing_and_a_huge_file(tmp_path: Path) -> None:
    huge = tmp_path / "huge.yml"
    huge.write_bytes(b"#" * (10 << 20))
    said = []
    for path in (tmp_path, tmp_path / "gone.yml", huge):
        with pytest.raises(PlaybookError) as caught:
            entries(path)
        said.append(str(caught.value))
    assert said == [
        f"{tmp_path}: this is a directory\n  → name a file in it: {huge}",
        f"{tmp_path / 'gone.yml'}: cannot be read: No such file or directory\n  → check the path and its permissions",
        f"{huge}: is larger than 1 MiB\n  → split it into files and `include` them",
    ]


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yml"
    path.write_bytes(b"- hosts: all\n  name: caf\xe9\n")
    with pytest.raises(PlaybookError) as caught:
        entries(path)
    assert str(caught.value).startswith(f"{path}:2:12: byte 0xe9 is not UTF-8\n")


def test_depth_is_bounded(tmp_path: Path) -> None:
    for text in ("[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000):
        with pytest.raises(PlaybookError, match="nested more than 64 deep"):
            entries(written(tmp_path, text))


def test_the_undefined_variable_is_known_to_the_program(tmp_path: Path) -> None:
    path = written(tmp_path, play("wipe: {device: '{{ disk }}'}", "wype: {}"))
    with pytest.raises(PlaybookError) as caught:
        entries(path)
    assert [error.undefined for error in caught.value.all] == [None, "disk"]
    path = written(tmp_path, play("wipe: {device: '{{ disk }}'}", "make: {device: '{{ other }}', type: ext4}"))
    with pytest.raises(PlaybookError) as caught:
        entries(path)
    assert [error.undefined for error in caught.value.all] == ["disk", "other"]


def test_a_task_that_raises_is_the_plugins_mistake(tmp_path: Path) -> None:
    path = written(tmp_path, play("make: {device: /dev/a, type: ext4, label: broken}"))
    with pytest.raises(PluginError, match=r"the samples failed: .*playbook_samples.py:\d+: RuntimeError: no way"):
        entries(path)


def test_extra_variables_are_as_strict_as_files(tmp_path: Path) -> None:
    path = written(tmp_path, play("wipe: {device: '{{ disk }}'}"))
    with pytest.raises(PlaybookError) as caught:
        entries(path, "disk=/dev/vda", "swap=no")
    assert str(caught.value) == (
        "-e:1:6: `no` is true or false for some YAML parsers, and text for others\n"
        '    swap=no\n         ^\n  → write false, or quote it: "no"'
    )
    with pytest.raises(PlaybookError, match="neither NAME=VALUE nor @FILE"):
        entries(path, "disk")


def test_extra_variables_from_a_file_and_as_yaml(tmp_path: Path) -> None:
    more = written(tmp_path, "disks: [vda, vdb]\nprefix: /dev\n", "more.yml")
    path = written(tmp_path, play("{wipe: {device: '{{ prefix }}/{{ item }}'}, loop: '{{ disks }}'}"))
    assert devices(path, f"@{more}") == ["/dev/vda", "/dev/vdb"]
    assert devices(path, f"@{more}", "disks=[vdc]", "prefix={{ '/dev' }}") == ["/dev/vdc"]


def test_a_caret_under_wide_characters_tabs_and_in_long_lines() -> None:
    assert Position(Source("f", "名: x"), 1, 4).shown() == "\n    名: x\n        ^"
    assert Position(Source("f", "a\tb"), 1, 3).shown() == "\n    a\tb\n     \t^"
    shown = Position(Source("f", "x" * 300 + "here" + "y" * 300), 1, 301).shown().splitlines()
    assert shown[1][shown[2].index("^") :].startswith("here")
    assert max(map(len, shown)) <= 104


def test_repeated_errors_are_reported_once() -> None:
    where = Position(Source("f", "a\nb"))
    problems = Problems()
    for line in (1, 2, 2):
        problems.add(PlaybookError("x", advice="y", where=replace(where, line=line), undefined="disk"))
    with pytest.raises(PlaybookError) as caught:
        problems.settle()
    assert caught.value.others == ()
    assert caught.value.notes == ("and in 1 more place",)


TAGGED = {
    "none": frozenset[str](),
    "disk": frozenset({"disk"}),
    "both": frozenset({"disk", "swap"}),
    "always": frozenset({"always"}),
    "never": frozenset({"never", "debug"}),
}


class _Tagged:
    def __init__(self, name: str) -> None:
        self.name = name
        self.tags = TAGGED[name]


@pytest.mark.parametrize(
    ("tags", "skip", "selected"),
    [
        ("", "", "none disk both always"),
        ("disk", "", "disk both always"),
        ("swap", "", "both always"),
        ("debug", "", "always never"),
        ("never", "", "always never"),
        ("tagged", "", "disk both always"),
        ("untagged", "", "none always"),
        ("all", "", "none disk both always"),
        ("", "swap", "none disk always"),
        ("disk", "swap", "disk always"),
        ("", "always", "none disk both"),
        ("", "tagged", "none"),
        ("", "untagged", "disk both always"),
        ("", "all", "always"),
        ("debug", "debug", "always"),
    ],
)
def test_selection_by_tags(tags: str, skip: str, selected: str) -> None:
    found = select([_Tagged(name) for name in TAGGED], tags.split(), skip.split())
    assert [each.name for each in found] == selected.split()


def test_records_among_the_parameters(tmp_path: Path) -> None:
    tasks = ["crew: {people: {ada: {age: 36, skills: [cards, \"{{ 'x' }}\"]}}, captain: {age: 40}}"]
    (entry,) = entries(written(tmp_path, play(*tasks)))
    assert isinstance(entry.task, Crew)
    assert entry.task.people == {"ada": Person(age=36, skills=("cards", "x"))}
    assert entry.task.captain == Person(age=40)


def test_an_expression_whose_value_is_none_leaves_a_parameter_out(tmp_path: Path) -> None:
    given, *_ = entries(written(tmp_path, play('make: {device: /dev/a, type: ext4, label: "{{ none }}"}')))
    assert parameters(given).keys() == {"identity", "device", "type"}
    for wrong in ("make: {device: /dev/a, type: ext4, label: null}", 'make: {device: "{{ none }}", type: ext4}'):
        with pytest.raises(PlaybookError, match="must be text, but this is nothing"):
            entries(written(tmp_path, play(wrong)))


def test_a_block_gives_its_keys_to_its_tasks(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        play(
            "{block: [wipe: {device: '{{ d }}'}, {wipe: {device: '{{ d }}2'}, tags: inner}],"
            " tags: outer, vars: {d: /dev/a}}",
            "{block: [wipe: {device: '{{ gone }}'}], when: false}",
            "{block: [wipe: {device: '{{ item }}'}], loop: [/dev/x, /dev/y]}",
        ),
    )
    assert devices(path) == ["/dev/a", "/dev/a2", "/dev/x", "/dev/y"]
    assert [sorted(entry.tags) for entry in entries(path)][:3] == [["outer"], ["inner", "outer"], []]
    assert entries(path)[2].why_skipped == "when: false"


def test_errors_in_a_block_are_reported(tmp_path: Path) -> None:
    path = written(tmp_path, play("{block: [wype: {}, wipe: {device: 5}], rescue: []}", "block: text"))
    with pytest.raises(PlaybookError) as caught:
        entries(path)
    assert [error.what for error in caught.value.all] == [
        "there is no `rescue`",
        "there is no task `wype`",
        'tasks are a list, but this is the text "text"',
        "`device` must be text, but this is the number 5",
    ]


def test_assertions_and_failures(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        play(
            "assert: {that: [size > 4, size < 6], fail_msg: 'size is {{ size }}'}",
            "assert: {that: size is even}",
            "{fail: {msg: 'no {{ size }}'}, when: size == 7}",
            "wipe: {device: /dev/a}",
        ),
    )
    with pytest.raises(PlaybookError) as caught:
        entries(path, "size=7")
    assert [(error.what, error.where.line) for error in caught.value.all] == [
        ("size is 7", 4),
        ("the assertion is false: size is even", 5),
        ("no 7", 6),
    ]
    path = written(
        tmp_path, play("assert: {that: size == 5}", "{fail: {msg: x}, when: size == 7}", "wipe: {device: /a}")
    )
    assert devices(path, "size=5") == ["/a"]


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("assert: {}", "`assert` needs `that`"),
        ("assert: [x]", "`assert` needs a mapping, but this is a list"),
        ("assert: {that: true, when: x}", "`assert` has no `when`"),
        ("fail: text", '`fail` needs a mapping, but this is the text "text"'),
        ("fail: {}", "the playbook ends here"),
    ],
)
def test_mistakes_in_assertions(tmp_path: Path, entry: str, what: str) -> None:
    with pytest.raises(PlaybookError) as caught:
        entries(written(tmp_path, play(entry)))
    assert [error.what for error in caught.value.all] == [what]


def test_files_of_variables_of_a_play(tmp_path: Path) -> None:
    (tmp_path / "vars").mkdir()
    written(tmp_path / "vars", "{a: /dev/one, b: /dev/one}\n", "one.yml")
    written(tmp_path / "vars", "{b: /dev/two}\n", "two.yml")
    head = "vars: {a: /dev/play, c: /dev/play}\nvars_files: [vars/one.yml, 'vars/{{ which }}.yml']"
    path = written(tmp_path, play(*(f"wipe: {{device: '{{{{ {name} }}}}'}}" for name in "abc"), head=head))
    assert devices(path, "which=two") == ["/dev/one", "/dev/two", "/dev/play"]
    assert devices(path, "which=two", "b=/dev/x") == ["/dev/one", "/dev/x", "/dev/play"]
    with pytest.raises(PlaybookError) as caught:
        entries(path, "which=gone")
    assert (caught.value.what, caught.value.where.line) == (
        f"{tmp_path}/vars/gone.yml cannot be read: No such file or directory",
        4,
    )
