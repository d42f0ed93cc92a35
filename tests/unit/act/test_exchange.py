"""The output of a shell as it arrives, over two streams that nobody keeps in order."""

from __future__ import annotations

import subprocess

from subfloor.act.exchange import Answer, Exchange, Stream

LATE = """
printf '\nB 1\nwaiting for paper\n'; sleep 1; printf '\nB 1\n' >&2
sleep 2; printf '\nE 0\n'; printf '\nE 0\n' >&2
exec cat
"""
"""The mark on standard error comes after the output: the streams are relayed by different programs. As a shell, it ends
with its input."""


def test_the_mark_of_a_stream_that_comes_late_hides_no_output() -> None:
    answer = Answer(Stream(b"\nB ", b"\nE ", None), Stream(b"\nB ", b"\nE ", None))
    with subprocess.Popen(
        ["sh", "-c", LATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        exchange = Exchange(process, b"", [answer])
        seen: list[bytes] = []
        exchange.run(lambda: None, lambda seconds: seen.append(bytes(exchange.latest.said)))
    assert seen[-1].strip() == b"waiting for paper"
