"""subfloor itself, in a form that another machine can install: a wheel, and NixOS modules.

The wheel is made of the installed files. A subfloor that was installed from it makes the same wheel.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import subfloor
from subfloor.core.recording import Program

_KINDS = {".py", ".json", ".css", ".nix", ".typed", ".sh", ".yml"}
_WHEEL = "Wheel-Version: 1.0\nGenerator: subfloor\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of all files in the wheel: the earliest that a zip file can hold. Files in a Nix store have no real time."""


def modules() -> Mapping[str, str]:
    """The NixOS modules and packages that make a system install and run this version of subfloor."""
    folder = Path(subfloor.__file__).parent / "nixos" / "installed"
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.nix"))}


@cache
def program() -> Program | None:
    """This version of subfloor. None if it is not installed as a Python distribution."""
    try:
        version = distribution("subfloor").version
    except PackageNotFoundError:
        return None
    files = _files(version)
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    # PEP 427: a build tag starts with a digit.
    name = f"subfloor-{version}-1_{digest.hexdigest()[:16]}-py3-none-any.whl"
    return Program(name, version, lambda: _wheel(files, version))


def _files(version: str) -> Mapping[str, bytes]:
    """The files of the wheel, by name, without RECORD, the list of these files."""
    own = Path(subfloor.__file__).parent
    folders = {"subfloor": own} | {f"subfloor_{name}": _folder(name, own) for name in ("playbooks", "plugins")}
    found = {
        f"{package}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for package, folder in folders.items()
        for path in folder.rglob("*")
        if path.suffix in _KINDS or path.name == "py.typed"
    }
    about = distribution("subfloor")
    metadata = about.read_text("METADATA") or about.read_text("PKG-INFO")
    texts = {"METADATA": metadata, "entry_points.txt": about.read_text("entry_points.txt")}
    texts |= {"WHEEL": _WHEEL, "top_level.txt": "\n".join([*folders, ""])}
    found |= {f"subfloor-{version}.dist-info/{name}": (text or "").encode() for name, text in texts.items()}
    return dict(sorted(found.items()))


def _folder(name: str, own: Path) -> Path:
    """The directory of the plugins or playbooks that come with subfloor: the installed one, or that of a checkout."""
    found = find_spec(f"subfloor_{name}")
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places))) if places else own.parents[1] / name


def _wheel(files: Mapping[str, bytes], version: str) -> bytes:
    """A wheel (PEP 427)."""
    record = f"subfloor-{version}.dist-info/RECORD"
    listed = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items())
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, record: f"{listed}{record},,\n".encode()}.items():
            about = zipfile.ZipInfo(name, _EPOCH)
            about.external_attr = 0o100644 << 16
            about.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(about, content)
    return whole.getvalue()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
