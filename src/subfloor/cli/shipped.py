"""The playbooks that come with subfloor: list them, or copy them to another directory."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import click

from subfloor.playbook.positions import did_you_mean


def directory() -> Path:
    """The directory of the shipped playbooks: in the installed package, or in a checkout. Raises ``UsageError``."""
    found = importlib.util.find_spec("subfloor_playbooks")
    places = [Path(each) for each in (found.submodule_search_locations or ())] if found else []
    places.append(Path(__file__).parents[3] / "playbooks")
    for place in places:
        if any(place.glob("*.yml")):
            return place
    raise click.UsageError("This installation has no playbooks; install subfloor again, from a wheel or with pipx")


def names() -> tuple[str, ...]:
    """The names of the playbooks, such as ``data-disk.yml``."""
    return tuple(sorted(path.name for path in directory().glob("*.yml")))


def list_all() -> int:
    """Print the playbooks and what each is for; returns the exit status."""
    width = max(map(len, names()))
    for name in names():
        click.echo(f"{name:{width}}  {_summary(directory() / name)}")
    click.echo("\nCopy them, with the parts that they include: subfloor playbooks --copy DIRECTORY")
    return 0


def copy(chosen: tuple[str, ...], target: Path) -> int:
    """Copy playbooks, and the parts that they include, into a directory; returns the exit status.

    Raises ``UsageError``, also if a file exists there with other content; then nothing is copied.
    """
    wanted = chosen or names()
    for name in wanted:
        if name not in names():
            advice = did_you_mean(name, names(), otherwise=f"the playbooks are {', '.join(names())}")
            raise click.UsageError(f"There is no playbook `{name}`: {advice}")
    files = list(_files(wanted))
    for path in files:
        there = target / path
        if there.exists() and there.read_bytes() != (directory() / path).read_bytes():
            raise click.UsageError(f"{there} exists and differs. Nothing was copied; name another directory")
    try:
        for path in files:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(directory() / path, target / path)
    except OSError as error:
        raise click.UsageError(
            f"{error.filename} cannot be written: {error.strerror}; name another directory"
        ) from None
    for name in wanted:
        click.echo(f"wrote {target / name}")
    return 0


def _files(chosen: tuple[str, ...]) -> Iterator[Path]:
    yield from map(Path, chosen)
    for path in sorted((directory() / "parts").glob("*.yml")):
        yield path.relative_to(directory())


def _summary(path: Path) -> str:
    """The first sentence of the comment at the start of a playbook."""
    comment = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("# "):
            break
        comment.append(line.removeprefix("# ").strip())
    text = " ".join(comment)
    for end in (": ", ". "):
        text = text.partition(end)[0]
    return text.rstrip(".")
