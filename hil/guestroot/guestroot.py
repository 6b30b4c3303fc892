# SPDX-License-Identifier: MIT
"""Builds a guest root: the initramfs of a kernel, which is its only root file system.

The archive is built on every call, which takes a fraction of a second, and kept under the hash of its bytes: it cannot
become outdated, and the same inputs give the same file.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import logging
import os
import posixpath
import stat
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hil import cache, directories
from hil.agent.build import agent_binary
from hil.arch import Architecture
from hil.guestroot import cpio, keys, modules
from hil.guestroot.recipe import recipe
from hil.guestroot.userland import userland
from hil.kernels.kernel import Kernel

_log = logging.getLogger(__name__)

AGENT = "bin/hil-agent"

# A guest root that was not used for this long (seconds) is removed when another one is made.
_KEPT = 30 * 86400.0

_MOST_LINKS = 8
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

_POWER_OFF = b"""\
#!/bin/busybox sh
echo "hil: ready"
exec /bin/busybox poweroff -f
"""


@dataclass(frozen=True)
class Contents:
    """The contents of a guest root, for the record of a run.

    `sha256` is the hash of the archive, `agent` that of the agent's binary; `packages` is as in Userland; `modules` are
    in the order of loading. All are empty for a guest root that was not built here.
    """

    sha256: str = ""
    agent: str = ""
    packages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class GuestRoot:
    """A guest root: the file for QEMU's -initrd, the private key that the guest accepts, the public key that identifies
    the guest, and the paths in it of the agent and of the tracing files."""

    initramfs: Path
    key: Path
    host_key: str
    contents: Contents = field(default_factory=Contents)
    agent: str = f"/{AGENT}"
    tracing: str = "/tracing"
    """A link that images/init makes to wherever the kernel has tracefs."""
    connects: bool = False
    """Whether its init starts an agent that connects to the bench, as images/init does."""


def build(kernel: Kernel, *, disks: bool = False, notify: Callable[[str], None] = lambda _: None) -> GuestRoot:
    """The guest root for `kernel`, with the drivers of disks if asked for; raises BenchError when a part of it cannot
    be fetched or built, or when the kernel has no such driver."""
    parts = recipe()
    wanted = (*parts.drivers, *(parts.disk_drivers if disks else ()))
    programs = userland(parts, kernel.arch, notify=notify)
    drivers = modules.needed(kernel, wanted)
    binary = agent_binary(kernel.arch)
    with cache.reading(binary):
        agent = binary.read_bytes()
    client, host = keys.client(), keys.host()
    authorized = cpio.regular(f"{client.public_line}\n".encode())
    library = f"lib/modules/{kernel.release}"
    loaded = " ".join(driver.module for driver in wanted if driver.module in {each.name for each in drivers})
    archive = cpio.archive(
        {
            **parts.entries,
            **programs.entries(),
            **{f"{library}/{module.name}.ko": cpio.regular(module.data) for module in drivers},
            f"{library}/modules.dep": cpio.regular(modules.dependency_file(drivers)),
            "etc/drivers": cpio.regular(f"{loaded}\n".encode()),
            "etc/dropbear/host_key": cpio.regular(host.dropbear(), 0o600),
            "root/.ssh/authorized_keys": authorized,
            "home/hil/.ssh/authorized_keys": authorized,
            AGENT: cpio.regular(agent, 0o755),
        }
    )
    contents = Contents(
        sha256=hashlib.sha256(archive).hexdigest(),
        agent=hashlib.sha256(agent).hexdigest(),
        packages=programs.packages,
        modules=tuple(module.name for module in drivers),
    )
    return GuestRoot(
        _kept(f"{kernel.name}-{kernel.arch}", archive), client.path, host.public_line, contents, connects=True
    )


def content(arch: Architecture, path: str) -> bytes | None:
    """What the file at `path` has in every guest of an architecture, links followed; None where there is none, as there
    is none of what its init makes. Raises BenchError like `build`."""
    entries = _programs(arch)
    name = path.strip("/")
    for _ in range(_MOST_LINKS):
        entry = entries.get(posixpath.normpath(name))
        if entry is None or not stat.S_ISLNK(entry.mode):
            return entry.data if entry is not None and stat.S_ISREG(entry.mode) else None
        name = posixpath.join("/", posixpath.dirname(name), entry.data.decode()).strip("/")
    return None


@functools.cache
def _programs(arch: Architecture) -> Mapping[str, cpio.Entry]:
    """The files that depend on no kernel."""
    parts, binary = recipe(), agent_binary(arch)
    with cache.reading(binary):
        agent = cpio.regular(binary.read_bytes(), 0o755)
    return {**parts.entries, **userland(parts, arch).entries(), AGENT: agent}


def bare(kernel: Kernel) -> Path:
    """The smallest guest root: an archive whose init powers off at once, to measure what a boot costs by itself."""
    parts = recipe()
    busybox = "bin/busybox"
    archive = cpio.archive(
        {
            **{name: entry for name, entry in parts.entries.items() if name.startswith("dev/")},
            busybox: userland(parts, kernel.arch).entries()[busybox],
            "init": cpio.regular(_POWER_OFF, 0o755),
        }
    )
    return _kept(f"bare-{kernel.arch}", archive)


def _kept(name: str, archive: bytes) -> Path:
    """The path of a read-only file with these bytes in the cache or, where that is not writable, the state folder.

    It is not compressed: unpacking would cost an emulated guest 0.4 s.
    """
    try:
        return _kept_in(directories.cache() / "guestroots", name, archive)
    except cache.Unusable as error:
        if error.number not in _NOT_WRITABLE:
            raise
        return _kept_in(directories.state() / "guestroots", name, archive)


def _kept_in(folder: Path, name: str, archive: bytes) -> Path:
    path = folder / f"{name}-{hashlib.sha256(archive).hexdigest()[:16]}.cpio"
    _log.debug("the guest root is %s", path)
    with cache.writing(path):
        if path.exists() and path.read_bytes() == archive:
            with contextlib.suppress(OSError):  # read-only; then nothing is removed there either
                os.utime(path)
            return path
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.glob(f"{name}-*.cpio"):
            if time.time() - other.stat().st_mtime > _KEPT:
                other.unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{name}-", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(archive)
                file.flush()
                temporary.chmod(0o444)
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    return path
