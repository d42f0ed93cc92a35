"""Batches of hosts, compared with Ansible's own rules: see the docstring of ``core.rollout``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subfloor.core.rollout import Batch, Rollout, Share, batches


def percent(number: int) -> Share:
    return Share(number, percent=True)


@pytest.mark.parametrize(
    ("serial", "hosts", "sizes"),
    [
        ((), 5, [5]),
        ((Share(2),), 5, [2, 2, 1]),
        ((Share(9),), 5, [5]),
        ((percent(30),), 10, [3, 3, 3, 1]),
        ((percent(1),), 10, [1] * 10),
        ((percent(100),), 10, [10]),
        ((Share(1), Share(5), percent(20)), 10, [1, 5, 2, 2]),
        ((Share(3), Share(1)), 2, [2]),
    ],
)
def test_the_size_of_each_batch(serial: tuple[Share, ...], hosts: int, sizes: list[int]) -> None:
    parts = list(Rollout(serial).parts([str(number) for number in range(hosts)]))
    assert [len(part) for part in parts] == sizes


@given(st.lists(st.builds(Share, st.integers(1, 100), percent=st.booleans()), max_size=4), st.integers(0, 40))
def test_every_host_is_in_one_batch_in_its_order(serial: list[Share], hosts: int) -> None:
    names = [str(number) for number in range(hosts)]
    assert [name for part in Rollout(tuple(serial)).parts(names) for name in part] == names


@pytest.mark.parametrize(
    ("most", "hosts", "failed", "too_many"),
    [
        (None, 3, 3, False),
        (0, 3, 0, False),
        (0, 3, 1, True),
        (30, 10, 3, False),
        (30, 10, 4, True),
        (49, 2, 1, True),
        (50, 2, 1, False),
        (100, 2, 2, False),
    ],
)
def test_the_percentage_must_be_exceeded(most: float | None, hosts: int, failed: int, too_many: bool) -> None:
    batch = Batch(tuple(map(str, range(hosts))), 0, most)
    assert batch.has_too_many(failed) is too_many


def test_plays_without_batches_are_one_and_those_with_them_are_apart() -> None:
    one_by_one = Rollout((Share(1),), 0.0)
    plays = [(Rollout(), "ab"), (Rollout(), "bc"), (one_by_one, "ca"), (Rollout(), "a"), (Rollout(), "")]
    assert batches(plays) == (
        Batch(("a", "b", "c"), 1),
        Batch(("c",), 2, 0.0),
        Batch(("a",), 2, 0.0),
        Batch(("a",), 4),
    )
