"""The command line that goes on: what a shell makes of it, consent that is over, and secrets."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subfloor.cli.resume import command_line


@given(st.lists(st.text(min_size=1).filter(lambda word: not word.startswith("--destroy") and "=" not in word)))
def test_a_shell_reads_it_as_it_was_typed(argv: list[str]) -> None:
    assert shlex.split(command_line(argv)) == ["subfloor", *argv]


@pytest.mark.parametrize("needed", [(), ("/dev/vdb",)], ids=["nothing", "another disk"])
def test_consent_for_destroyed_data_is_left_out(needed: tuple[str, ...]) -> None:
    argv = ["apply", "--destroy", "/dev/vda", "a b.yml", "--destroy=/dev/disk/by-id/x", "-y"]
    assert command_line(argv, needed) == "subfloor apply 'a b.yml' -y"


@pytest.mark.parametrize("word", ["/dev/vda", "/dev/disk/by-path/pci-0000:00:05.0", "box:/dev/vda2"])
def test_consent_for_data_that_is_not_destroyed_yet_stays(word: str) -> None:
    argv = ["apply", "--destroy", word, "play.yml", "--destroy=/dev/vdc"]
    assert command_line(argv, {word}) == f"subfloor apply --destroy {word} play.yml"


def test_a_device_may_be_given_with_its_host_where_there_is_but_one() -> None:
    assert command_line(["apply", "--destroy=box:/dev/vda"], {"/dev/vda"}) == "subfloor apply --destroy=box:/dev/vda"
    assert command_line(["apply", "--destroy=box:/dev/vda"], {"den:/dev/vda"}) == "subfloor apply"


@pytest.mark.parametrize("name", ["password", "luks_passphrase", "API_TOKEN", "secret", "sshKey"])
@pytest.mark.parametrize("form", [("-e", "{}"), ("--extra-vars", "{}"), ("-e{}",), ("--extra-vars={}",)])
def test_a_secret_is_not_repeated(name: str, form: tuple[str, ...]) -> None:
    argv = ["apply", *(word.format(f"{name}=hunter2=\nhunter3") for word in form), "-e", "disk=/dev/vda"]
    line = command_line(argv)
    assert "hunter" not in line
    assert f"{name}=••••" in line and line.endswith("-e disk=/dev/vda")


@pytest.mark.parametrize(
    "words", [("--ask-passphrase", "luks"), ("--ask-passphrase=luks",), ("--ask-password", "root")]
)
def test_a_secret_that_is_asked_for_is_asked_for_again(words: tuple[str, ...]) -> None:
    assert command_line(["apply", "play.yml", *words, "-y"]) == f"subfloor apply play.yml {' '.join(words)} -y"
