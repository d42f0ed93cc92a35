"""Find a kernel with its modules for the guest: the given one, the running one, or Debian's.

Debian's package is unpacked into a cache: nothing is installed, and root is not needed.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from subfloor.rehearse.bzimage import vmlinux
from subfloor.rehearse.initrd import EARLY_MODULES, load_order
from subfloor.rehearse.model import Kernel, NoKernel
from subfloor.rehearse.places import NIXOS, cache, tool

_META_PACKAGE = "linux-image-amd64"
_FETCH_DEADLINE = 600  # seconds


def find(image: Path | None = None) -> Kernel:
    """The kernel for guests. Raises `NoKernel`, or `NoTool` if a program that fetches a kernel is missing."""
    if image is not None:
        return given(image)
    return running() or cached() or fetch()


def given(image: Path) -> Kernel:
    """The kernel in a vmlinuz-RELEASE file, with modules in /lib/modules or beside it. Raises `NoKernel`."""
    image = image.absolute()
    if not os.access(image, os.R_OK):
        raise NoKernel(f"{image}: this kernel cannot be read", advice="Give the path of a vmlinuz file")
    release = image.name.partition("-")[2]
    candidates = (
        image.parent.parent / "lib/modules" / release,  # ROOT/boot/vmlinuz-RELEASE
        Path("/lib/modules") / release,
        image.parent / "lib/modules" / release,
    )
    for modules in candidates:
        if release and usable(kernel := Kernel(image, modules)):
            return kernel
    looked = ", ".join(str(each) for each in candidates)
    raise NoKernel(
        f"{image}: it has no modules to start a guest with (9p, overlay, virtio). Looked in {looked}",
        advice="Name it vmlinuz-RELEASE, with its modules in lib/modules/RELEASE beside it, and run depmod on them",
    )


def running() -> Kernel | None:
    """The running system's kernel; None if it cannot be read or lacks what a guest needs."""
    release = os.uname().release
    booted = Path("/run/booted-system")  # on NixOS
    places = (
        Kernel(Path(f"/boot/vmlinuz-{release}"), Path("/lib/modules") / release),
        Kernel(booted / "kernel", booted / "kernel-modules/lib/modules" / release),
    )
    return next(filter(usable, places), None)


def cached() -> Kernel | None:
    """The newest kernel in the cache; None if there is none."""
    kernels = [
        Kernel(image, image.parent.parent / "lib/modules" / image.name.removeprefix("vmlinuz-"))
        for image in cache().glob("kernel/*/boot/vmlinuz-*")
    ]
    return max(filter(usable, kernels), key=lambda kernel: _version(kernel.release), default=None)


def _version(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)]


def usable(kernel: Kernel) -> bool:
    """Whether the kernel can be read and has the modules, or built-in parts, that a guest needs to start."""
    if not os.access(kernel.image, os.R_OK):
        return False
    try:
        early_modules(kernel)
    except (OSError, LookupError):
        return False
    return True


def early_modules(kernel: Kernel) -> tuple[str, ...]:
    """The module files that the initrd loads, relative to the kernel's modules.

    Raises `LookupError` for a module that the kernel lacks, `OSError` if it has no index.
    """
    index = (kernel.modules / "modules.dep").read_text()
    builtin = (kernel.modules / "modules.builtin").read_text()
    return load_order(index, builtin, EARLY_MODULES)


def quick_start(kernel: Kernel) -> Path:
    """The file to start the kernel from without firmware: an unpacked copy in the cache, or the kernel's image."""
    of = kernel.image.stat()
    kept = cache() / "vmlinux" / f"{kernel.release}-{of.st_size}-{of.st_mtime_ns}"
    if kept.exists():
        return kept
    unpacked = vmlinux(kernel.image.read_bytes())
    if unpacked is None:
        return kernel.image
    kept.parent.mkdir(exist_ok=True)
    fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
    fresh.write_bytes(unpacked)
    fresh.replace(kept)
    return kept


def fetch() -> Kernel:
    """Debian's kernel, downloaded and unpacked into the cache. Raises `NoKernel` or `NoTool`."""
    if NIXOS.exists():
        raise NoKernel(
            "No kernel for the virtual machine: that of /run/booted-system lacks what a guest needs to start",
            advice="Give another: --kernel /path/to/vmlinuz-RELEASE, with its modules in lib/modules/RELEASE beside it",
        )
    apt, dpkg, depmod = tool("apt-get"), tool("dpkg"), tool("depmod")
    with _alone(), tempfile.TemporaryDirectory(dir=cache(), prefix="fetching-") as name:
        if (kernel := cached()) is not None:  # another process was faster
            return kernel
        work = Path(name)
        package = _download(apt, work)
        root = work / "root"
        _tell([str(dpkg), "-x", str(package), str(root)], work)
        image = next(root.glob("boot/vmlinuz-*"))
        release = image.name.removeprefix("vmlinuz-")
        modules = root / "usr/lib/modules"
        if modules.is_dir() and not (root / "lib").exists():
            (root / "lib").symlink_to("usr/lib")
        _tell([str(depmod), "--basedir", str(root), release], work)
        target = cache() / "kernel" / release
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        root.rename(target)
    found = cached()
    if found is None:
        raise NoKernel(f"{target}: this kernel cannot start a guest", advice="Give another one: --kernel PATH")
    return found


@contextmanager
def _alone() -> Iterator[None]:
    with (cache() / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(apt: Path, work: Path) -> Path:
    """Download the kernel's package into `work`; returns the file. If apt's lists lack it, fetch new lists first."""
    try:
        return _download_with([], apt, work)
    except NoKernel:
        state, lists = work / "state", work / "state/lists"
        (lists / "partial").mkdir(parents=True)
        options = [
            "-o",
            f"Dir::State={state}",
            "-o",
            f"Dir::State::lists={lists}",
            "-o",
            f"Dir::Cache={work}",
        ]
        _tell([str(apt), "-q", *options, "update"], work)
        return _download_with(options, apt, work)


def _download_with(options: list[str], apt: Path, work: Path) -> Path:
    show = [str(apt.with_name("apt-cache")), *options, "depends", _META_PACKAGE]
    found = re.search(r"Depends: (linux-image-\S+)", _tell(show, work))
    if found is None:
        raise _nothing_fetched(f"apt knows no dependency of {_META_PACKAGE}")
    _tell([str(apt), "-q", *options, "download", found[1]], work)
    return next(work.glob("linux-image-*.deb"))


def _tell(argv: list[str], work: Path) -> str:
    """Run a command in `work`; returns its output. Raises `NoKernel` if it fails."""
    try:
        done = subprocess.run(
            argv, cwd=work, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
            timeout=_FETCH_DEADLINE, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _nothing_fetched(str(error)) from error
    if done.returncode:
        raise _nothing_fetched(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stderr[-2000:].strip()}")
    return done.stdout


def _nothing_fetched(why: str) -> NoKernel:
    return NoKernel(
        "No kernel for the virtual machine: the running one has no readable image and modules under /boot "
        f"and /lib/modules, and Debian's could not be fetched.\n{why}",
        advice="Run `apt-get update` and try again, or give a kernel: --kernel /path/to/boot/vmlinuz-RELEASE",
    )
