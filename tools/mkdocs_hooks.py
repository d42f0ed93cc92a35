"""MkDocs hooks: add the generated reference, turn links to the repository's files into plain names, wrap long lines.

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

_BLOCK = re.compile(r"<pre>(?P<text>.*?)(?=</pre>)", re.S)
# Drawings, and columns that lie below each other.
_ALIGNED = re.compile(r"[\u2500-\u257f\u2588-\u2593]|\S {3,}\S")
# The class that the highlighter gives to a key of YAML.
_YAML = 'class="nt"'
_OPTION = re.compile(r"(?<= )(--?[a-z][a-z-]*)")


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
        if target.endswith(found[1].strip("`")):
            return f"`{target}`"
        return f"{found[1]} (`{target}`)" if target not in found[1] else found[1]

    return _LINK.sub(named, markdown)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Commands and messages are wrapped where the page is narrow; YAML, columns and drawings scroll."""
    return _BLOCK.sub(lambda found: found[0] if _keeps_lines(found["text"]) else _wrapped(found["text"]), html)


def _keeps_lines(block: str) -> bool:
    return _YAML in block or bool(_ALIGNED.search(re.sub(r"<[^>]+>", "", block)))


def _wrapped(block: str) -> str:
    return '<pre class="wrap">' + _OPTION.sub(r'<span class="option">\1</span>', block)
