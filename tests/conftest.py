"""What all tests share: runs of one test do not wait for those of another that runs beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from crash.sample import everything

pytest_plugins = ["counting"]

settings.register_profile("unhurried", deadline=None)  # beside other tests an example may take any time
settings.load_profile("unhurried")

pytest.register_assert_rewrite("disks")  # an assert of their helpers shows its values, as one of a test does


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave campaigns to `make crash`."""
    if not everything():
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("campaign")])
        items[:] = [item for item in items if not item.get_closest_marker("campaign")]


@pytest.fixture(scope="session", autouse=True)
def _own_machine_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A lock of the machine for each worker; what a test starts inherits it."""
    os.environ["SUBFLOOR_LOCK"] = str(tmp_path_factory.mktemp("lock") / "machine")
    yield
    del os.environ["SUBFLOOR_LOCK"]
