"""Hashes of passwords: whole ones of strong methods, as programs print them, and nothing else."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from subfloor.nixos.crypt import fault

WHOLE = [
    f"$y$j9T$I8EQYRnAKlWsvquySBpRE1${'x' * 43}",
    f"$gy$j9T$I8EQYRnAKlWsvquySBpRE1${'x' * 43}",
    f"$7$CU..../....2Q9obwLhin8qvQl6sisAO/${'x' * 43}",
    f"$2b$05${'x' * 53}",
    f"$2y$12${'x' * 53}",
    f"$6$89oRObq6lBVqE6Pz${'x' * 86}",
    f"$6$rounds=65536$salt${'x' * 86}",
    f"$5$rounds=5000$salt${'x' * 43}",
]


@pytest.mark.parametrize("text", WHOLE)
def test_complete_hashes(text: str) -> None:
    assert not fault(text)


@pytest.mark.parametrize("text", WHOLE)
def test_incomplete_hashes(text: str) -> None:
    for spoilt in (text[:-1], f"{text}x", f"{text}\n", f"{text[:-1]}:", text.rpartition("$")[0]):
        said = fault(spoilt)
        assert "hash is incomplete" in said
        assert spoilt.rpartition("$")[2][:9] not in said or len(spoilt) < 40, "the message shows it"


@pytest.mark.parametrize("text", ["", "!", "*", "!!", "x", "hunter2", f"$1$salt${'x' * 22}", "$2a$05$", "$sha1$1$s$x"])
def test_locked_weak_and_missing_hashes(text: str) -> None:
    assert "strong" in fault(text)


@pytest.mark.parametrize("method", ["-5", "-6"])
def test_hashes_that_openssl_prints(method: str) -> None:
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl")
    for password in ("a", "long " * 20):
        done = subprocess.run(["openssl", "passwd", method, password], capture_output=True, text=True, check=True)
        assert not fault(done.stdout.strip())
