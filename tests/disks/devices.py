"""Devices that are ready to be mounted, as fixtures: import them to use them.

A test asks for them before its `namespace`, which is then gone before them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from loop_disks import attach, run, take_away

CELLAR, SHELF = f"cellar{os.getpid()}", f"shelf{os.getpid()}"
"""Labels of our own: a label that a device of another test has, at the same time, is ambiguous."""


@pytest.fixture
def ext4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A device with an ext4 on it."""
    made = attach(tmp_path_factory.mktemp("disk") / "ext4", "64M")
    try:
        run("mkfs.ext4", "-q", "-L", SHELF, made.node)
        yield made.node
    finally:
        take_away(made)


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A device with nothing on it."""
    made = attach(tmp_path_factory.mktemp("disk") / "bare", "320M")
    try:
        yield made.node
    finally:
        take_away(made)


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A disk with a GPT, an ext4 labelled ``CELLAR`` on its first partition, and a swap area on its second."""
    made = attach(tmp_path_factory.mktemp("disk") / "disk", "96M")
    try:
        made.sfdisk(f"label: gpt\nsize=64MiB, name={CELLAR}\nname=swap\n")
        run("mkfs.ext4", "-q", "-L", CELLAR, made.partition(1))
        run("mkswap", "-q", "-L", "swap", made.partition(2))
        yield made.node
    finally:
        run("swapoff", made.partition(2), check=False)
        take_away(made)
