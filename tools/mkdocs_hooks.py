"""MkDocs hooks: add the generated reference, and turn links to the repository's files into plain names.

A link to a file that is not in the repository stops the build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://|#|mailto:)([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add a page for every task and command, from the same texts that the command line shows."""
    from subfloor.cli import cli
    from subfloor.cli.reference import pages
    from subfloor.playbook.registry import Registry

    registry = Registry([])
    plugins = [plugin for name in registry.names() if (plugin := registry.get(name))]
    for path, text in pages(plugins, cli).items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links that leave docs/ become the names of files; they have to be there."""
    here = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def named(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(here, found[2]))
        if target.startswith("docs/"):
            return found[0]
        if not (ROOT / target).exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {target}, which is not there")
        return f"{found[1]} (`{target}`)" if target not in found[1] else found[1]

    return _LINK.sub(named, markdown)
