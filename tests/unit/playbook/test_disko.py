"""`import disko`: each configuration in data/disko becomes the tasks that were written by hand beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import whole_playbooks
from disk_values import nothing_left
from places import DATA
from subfloor.cli import cli, importing
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine
from subfloor.core.outcome import Outcome
from subfloor.playbook.disko import imported
from subfloor.playbook.disko.tree import from_json
from subfloor.playbook.positions import PlaybookError, Position, Source
from subfloor.playbook.registry import Registry

CASES = sorted(path for path in (DATA / "disko").iterdir() if path.suffix in (".nix", ".json"))


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(cli, ["import", "disko", *map(str, arguments)])


def given(case: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(case.with_suffix(".yml").read_text())
    return loaded


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_configuration_becomes_a_playbook(case: Path, tmp_path: Path) -> None:
    expected = given(case)
    result = run(case, *expected.get("arguments", ()))
    missing = [line.split(": ")[1] for line in result.stderr.splitlines()[1:] if line.startswith("  /")]
    assert missing == expected["missing"], result.stderr
    (play,) = yaml.safe_load(result.stdout)
    assert play["tasks"] == expected["tasks"]
    assert result.exit_code == (6 if missing else 0)
    for words in expected.get("says", ()):
        assert words in result.output
    for place in missing:
        assert f"#   {place}: " in result.stdout
    path = tmp_path / "play.yml"
    path.write_text(result.stdout)
    entries = whole_playbooks.entries_of(path, {})
    assert len(entries) == len(expected["tasks"])


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_its_plan_on_blank_disks_comes_to_its_end(case: Path, tmp_path: Path) -> None:
    expected, path = given(case), tmp_path / "play.yml"
    path.write_text(run(case, *expected.get("arguments", ())).stdout)
    passphrases = dict.fromkeys(re.findall(r"(\w+) \| default\(none\)", path.read_text()), "secret")
    play = whole_playbooks.entries_of(path, passphrases)
    reports = imagine(play, whole_playbooks.blank(play), Consent(), nothing_left)
    refused = [str(each.error) for each in reports if each.outcome not in (Outcome.OK, Outcome.WOULD_CHANGE)]
    known = expected.get("refused", [])
    assert len(refused) == len(known) and all(words in each for words, each in zip(known, refused, strict=True))


WRONG = [
    ("syntax.nix", "{ disko.devices = { disk = ; }; }", "syntax.nix:1:28: syntax error", "correct the configuration"),
    ("path.nix", "{ disko.devices = import /etc/nowhere.nix; }", "forbidden in restricted mode", "--include DIRECTORY"),
    (
        "lib.nix",
        "{ pkgs, ... }: { disko.devices.disk = pkgs.x; }",
        "needs the argument 'pkgs'",
        "--arg pkgs EXPRESSION",
    ),
    ("none.nix", "{ imports = [ ./other.nix ]; }", "it declares no disko.devices, only imports", "name that file"),
    ("text.nix", '"disk"', "it is not a set of options", "name a file with disko.devices"),
    (
        "device.nix",
        "{\n  disko.devices.disk.main.device =\n    5;\n}",
        "device.nix:2:3: disko.devices.disk.main.device is the number 5, but a text in quotes is required",
        "correct it",
    ),
    (
        "size.nix",
        'let x = { size = "lots"; }; in\n'
        '{ disk.a = { device = "/dev/vda"; content = { type = "gpt"; partitions = { inherit x; }; }; }; }',
        "size.nix:1:11: disko.devices.disk.a.content.partitions.x.size: 'lots' is neither a size such as 512M",
        "write it as sgdisk(8) reads it",
    ),
    (
        "kind.nix",
        '{ disk.a = { device = "/dev/vda"; content = { type = "btrf"; }; }; }',
        "kind.nix:1:47: disko.devices.disk.a.content.type: disko has no type 'btrf'",
        "did you mean 'btrfs'?",
    ),
    ("broken.json", '{"disk": {\n  "a": }}', "broken.json:2:8: this is not JSON: Expecting value", "ends in .nix"),
    ("list.json", "[1]", "list.json: a configuration is an object", "name another file"),
    ("odd.json", '{"disk": {"a": {"device": true}}}', "disko.devices.disk.a.device is a truth value", "correct it"),
    ("none.json", '{"disk": {"a": {}}}', "disko.devices.disk.a has no `device`", "add `device`"),
]


@pytest.mark.parametrize(("name", "text", "what", "advice"), WRONG, ids=[each[0] for each in WRONG])
def test_a_mistake_is_reported_with_its_position(name: str, text: str, what: str, advice: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    result = run(path)
    assert result.exit_code == 64 and result.stdout == "", result.stderr
    assert what in result.stderr and advice in result.stderr, result.stderr


def test_without_nix_it_says_how_to_make_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlaybookError) as caught:
        importing.disko(DATA / "disko/plain.nix", None, {}, ())
    assert "is not installed here" in str(caught.value)
    assert "nix eval --json .#nixosConfigurations.HOST.config.disko.devices" in str(caught.value)


def test_an_evaluation_reads_nothing_else_and_runs_nothing(tmp_path: Path) -> None:
    secret, inside = tmp_path / "secret", tmp_path / "configuration"
    secret.write_text("key")
    inside.mkdir()
    for number, read in enumerate(
        (
            f"builtins.readFile {secret}",
            'builtins.fetchurl "http://127.0.0.1/x"',
            'builtins.readFile (derivation { name = "x"; system = builtins.currentSystem; builder = "/bin/sh"; })',
            'builtins.exec [ "touch" "here" ]',
        )
    ):
        path = inside / f"{number}.nix"
        path.write_text(f"{{ disko.devices.disk.a.device = {read}; }}")
        result = run(path)
        assert result.exit_code == 64 and "key" not in result.output, (read, result.output)
    allowed = inside / "0.nix"
    assert "the number" not in run(allowed, "--include", secret).output
    environment = inside / "environment.nix"
    environment.write_text('{ disko.devices.disk.a.device = "/dev/x${builtins.getEnv "HOME"}"; }')
    assert "/dev/x\n" in run(environment).stdout


ODD: tuple[Any, ...] = (
    None,
    True,
    5,
    -1.5,
    "",
    "x",
    "100%",
    [],
    [5],
    ["x"],
    {},
    {"type": "btrfs"},
    {"a": {"size": "1G"}},
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value in a document."""
    yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places_in(each, (*path, key))


def test_a_wrong_value_anywhere_is_a_mistake_or_is_listed() -> None:
    """One value of a whole configuration is replaced by one that may not be there: no other error."""
    text, registry = (DATA / "disko/evaluated.json").read_text(), Registry()
    where, told = Position(Source("x.json", "")), 0
    for number, path in enumerate(places_in(json.loads(text))):
        for odd in ODD if len(path) < 5 else ODD[number % 3 :: 3]:
            document: Any = {"at": json.loads(text)}
            inside, last = document, "at"
            for key in path:
                inside, last = inside[last], key
            inside[last] = odd
            if not isinstance(document["at"], dict):
                continue
            try:
                imported(from_json(document["at"], "disko.devices", where), "x.json", None, registry)
            except PlaybookError as error:
                told += 1
                assert "disko" in error.what and error.advice
    assert told > 100
