# SPDX-License-Identifier: MIT
"""Debug symbols: the vmlinux with debug information (DWARF) of a kernel, for types, lines and local variables.

Debian has it in a package of its own, a few hundred megabytes, which is fetched on request only.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hil import cache, directories
from hil.debian import apt
from hil.debian.apt import Apt, PackageGone
from hil.debian.package import Package
from hil.errors import BenchError, UserError
from hil.heartbeat import Heartbeat
from hil.kernels import entry, store, vmlinux
from hil.kernels.kernel import Kernel

Notify = Callable[[str], None]

FOLDER = "debug-symbols"
"""The folder of the cache, whose entries are KERNEL-ARCHITECTURE-KEY."""
_FILE = "vmlinux"
_IN_PACKAGE = "./usr/lib/debug/*/vmlinux*"
"""Where packages have it: below boot/ until 6.12, beside the modules since."""
_KEY = 16


class NoDebugSymbols(UserError):
    """The kernel has no debug symbols that could be had."""


def location(kernel: Kernel) -> Path:
    """The folder of the cache for a kernel's, which need not exist."""
    return directories.cache() / FOLDER / f"{kernel.name}-{kernel.arch}-{_key(kernel.provenance)}"


def _key(provenance: Mapping[str, Any]) -> str:
    """The last part of that folder's name, which another image changes."""
    return str(provenance["sha256"]["image"])[:_KEY]


def needed() -> Iterator[str]:
    """The names of the folders of the kernels in the cache, which need not exist."""
    for name, arch in store.cached():
        with contextlib.suppress(cache.Damaged, cache.Unusable, KeyError):
            provenance = entry.metadata_of(store.location(name, arch))["provenance"]
            yield f"{name}-{arch}-{_key(provenance)}"


def debug_symbols(kernel: Kernel, notify: Notify = lambda _: None) -> Path:
    """Returns the vmlinux with debug information: that of a kernel which was imported or built with one; else the one
    in the cache, into which it is fetched when it is not there.

    Raises NoDebugSymbols when there is none, BenchError when it cannot be fetched.
    """
    if kernel.vmlinux is not None:
        if vmlinux.has_debug_info(kernel.vmlinux):
            return kernel.vmlinux
        raise NoDebugSymbols(
            f"the vmlinux of {kernel} has no debug information",
            remedy="build it with CONFIG_DEBUG_INFO, and import it with `hil kernels import --vmlinux`",
        )
    if not kernel.provenance.get("packages"):
        raise NoDebugSymbols(
            f"{kernel} is no kernel of Debian's archive, and was given without a vmlinux",
            remedy="import it with `hil kernels import --vmlinux`, with the one of the same build",
        )
    folder = location(kernel)
    cache.ensure(folder, lambda new: _fetch(kernel, new, notify), notify=notify)
    with contextlib.suppress(OSError):  # of another user, for one
        os.utime(folder)  # its last use, for `hil cache prune`
    return folder / _FILE


def _fetch(kernel: Kernel, folder: Path, notify: Notify) -> None:
    archive = Apt(str(kernel.provenance["suite"]), kernel.arch, notify=notify)
    package = _package(kernel, archive)
    notify(
        f"debug symbols of {kernel}: {package.size / 1e6:.1f} MB to download; of {package.installed / 1e6:.1f} MB "
        f"unpacked only {_FILE} is kept, below {directories.cache() / FOLDER}"
    )
    try:
        deb = archive.download(package)
    except PackageGone as gone:
        raise _gone(kernel, gone.what) from gone
    try:
        with (
            tempfile.TemporaryDirectory(prefix="unpacked-", dir=folder) as scratch,
            Heartbeat(notify) as tell,
        ):
            tell(f"unpacking {_FILE} of {package.name}")
            apt.unpack_one(deb, _IN_PACKAGE, Path(scratch))
            (unpacked,) = Path(scratch).rglob("vmlinux*")
            vmlinux.without_relocations(unpacked, folder / _FILE)
    finally:
        archive.discard(package)
    if not vmlinux.has_debug_info(folder / _FILE):
        raise BenchError(
            f"{_FILE} of {package} has no debug information",
            remedy="report this: Debian has changed its packages; import a vmlinux with `hil kernels import --vmlinux`",
        )


def _package(kernel: Kernel, archive: Apt) -> Package:
    """The package with the debug symbols of exactly the kernel's version."""
    image = kernel.provenance["packages"][0]
    name = f"{image['name']}-dbg"
    if name not in archive.names():
        raise _gone(kernel, f"there is no package {name} in Debian's {archive}")
    versions = archive.resolve(name)
    found = next((one for one in versions if one.version == image["version"]), None)
    if found is None:
        others = ", ".join(one.version for one in versions)
        raise _gone(kernel, f"Debian's {archive} no longer has {name} {image['version']}, only {others}")
    return found


def _gone(kernel: Kernel, what: str) -> NoDebugSymbols:
    name = kernel.name.partition("@")[0]
    return NoDebugSymbols(
        f"the debug symbols of {kernel} ({kernel.release}) cannot be had: {what}",
        remedy=f"choose another version (`hil kernels list {name} --all`, `hil kernels fetch {name} --refresh`), or "
        "import this kernel with a vmlinux of your own: `hil kernels import --vmlinux`",
    )
