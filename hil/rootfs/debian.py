# SPDX-License-Identifier: MIT
"""A Debian root as a disk: packages and all that they depend on, unpacked, without running their scripts.

Running them would need root, and an emulator for other architectures; tools for BPF do not need it. What they would
have made of the files that programs look for is made here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hil import cache, directories
from hil.arch import Architecture
from hil.debian.apt import Apt, unpack
from hil.digest import sha256
from hil.errors import UserError
from hil.kernels import catalogue
from hil.kernels.catalogue import Debian
from hil.kernels.kernel import Kernel
from hil.rootfs import image

IMAGE = "disk.ext4"
_RECORD = "packages.json"
_FORMAT = 1
"""Counts up when the same packages make another image."""

_BASE = (
    *("base-files", "bash", "dash", "coreutils", "findutils", "grep", "gzip", "hostname", "kmod", "libc-bin", "mawk"),
    *("mount", "procps", "sed", "tar", "util-linux"),
)
"""What a shell needs to be of use."""
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""The folders that Debian has below /usr since bookworm; its packages ship the links only since trixie."""
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost hil\n",
    "etc/hostname": "hil\n",
}
_LINKS = {"usr/bin/awk": "mawk", "usr/bin/sh": "dash"}
"""What alternatives and diversions would have made."""

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Disk:
    """A disk in the cache; `packages` has version and sha256 of each package in it, by name."""

    path: Path
    packages: Mapping[str, Mapping[str, str]]


def suite_of(name: str) -> str:
    """The suite of a kernel of the catalogue ("debian-12": "bookworm"); raises UserError when it has none."""
    known = catalogue.entries().get(name)
    if known is None or not isinstance(known.source, Debian):
        names = ", ".join(key for key, entry in catalogue.entries().items() if isinstance(entry.source, Debian))
        raise UserError(
            f"no root file system {name}", remedy=f"name a folder, a tar or cpio archive, or one of {names}"
        )
    return known.source.suite


def root_disk(name: str, arch: Architecture, packages: Sequence[str], *, notify: Notify = lambda _: None) -> Disk:
    """The disk with the packages of the suite of `name` and what they depend on; made on first use.

    Raises UserError for a suite or a package that does not exist, BenchError when one cannot be fetched.
    """
    suite = suite_of(name)
    wanted = sorted({*_BASE, *packages})
    key = _key(suite, arch.debian, wanted)
    return _kept(f"{suite}-{arch.debian}-{key}", lambda new: _make_root(suite, arch, wanted, new, notify), notify)


def kernel_disk(kernel: Kernel, *, notify: Notify = lambda _: None) -> Disk:
    """The disk with the headers and modules of one of Debian's kernels, for /usr/src; made on first use.

    Raises UserError for a kernel that is none of Debian's, BenchError when its headers cannot be fetched.
    """
    known = catalogue.find(kernel.name)
    if known is None or not isinstance(known.source, Debian):
        raise UserError(f"{kernel} has no packages with headers", remedy="leave out --headers, or use Debian's kernels")
    apt = Apt(known.source.suite, kernel.arch, notify=notify)
    name = f"linux-headers-{kernel.release}"

    def make(new: Path) -> None:
        headers = apt.resolve(name)[0]
        common = [apt.resolve(one.name)[0] for one in headers.depends if one.name.endswith("-common")]
        with tempfile.TemporaryDirectory(prefix="unpacked-", dir=new) as temporary:
            unpacked = Path(temporary) / "packages"
            for package in (headers, *common):
                unpack(apt.download(package), unpacked)
                apt.discard(package)
            tree = unpacked / "usr/src"
            modules = tree / f"modules-{kernel.release}"
            if kernel.modules is not None:
                shutil.copytree(kernel.modules / "lib/modules" / kernel.release, modules, symlinks=True)
                modules.chmod(0o755)
            modules.mkdir(exist_ok=True)
            (modules / "build").symlink_to(f"/usr/src/{name}")
            if common:
                (modules / "source").symlink_to(f"/usr/src/{common[0].name}")
            image.make(tree, new / IMAGE)
        record = {one.name: {"version": one.version, "sha256": one.sha256} for one in (headers, *common)}
        (new / _RECORD).write_text(json.dumps(record, indent=2) + "\n")

    key = _key(kernel.arch.debian, kernel.release, [str(kernel.provenance.get("sha256"))])
    return _kept(f"{kernel.name}-{kernel.arch.debian}-{key}", make, notify)


def _key(*parts: object) -> str:
    return hashlib.sha256(repr((_FORMAT, *parts)).encode()).hexdigest()[:12]


def _kept(name: str, make: Callable[[Path], None], notify: Notify) -> Disk:
    folder = directories.cache() / "disks" / name
    cache.ensure(folder, make, notify=notify)
    with cache.reading(folder / _RECORD):
        return Disk(folder / IMAGE, json.loads((folder / _RECORD).read_text()))


def _make_root(suite: str, arch: Architecture, packages: Sequence[str], new: Path, notify: Notify) -> None:
    apt = Apt(suite, arch, notify=notify)
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=new) as temporary:
        debs = apt.download_with_dependencies(packages, Path(temporary))
        notify(f"unpacking {len(debs)} packages of Debian's {apt}")
        tree = Path(temporary) / "root"
        tree.mkdir()
        record = {}
        for deb in debs:
            unpack(deb, tree)
            name, version, _ = deb.name.split("_")
            record[name] = {"version": version.replace("%3a", ":"), "sha256": sha256(deb)}
            deb.unlink()
        complete(tree)
        image.make(tree, new / IMAGE)
    (new / _RECORD).write_text(json.dumps(record, indent=2) + "\n")


def complete(tree: Path) -> None:
    """Makes what packages' scripts would have made."""
    for name in _MERGED:
        if (tree / name).is_dir() and not (tree / name).is_symlink():
            _merge(tree / name, tree / "usr" / name)
        if (tree / "usr" / name).is_dir() and not (tree / name).is_symlink():
            (tree / name).symlink_to(f"usr/{name}")
    for path, text in _FILES.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    for path, to in _LINKS.items():
        if not os.path.lexists(tree / path):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).symlink_to(to)
    for name in ("proc", "sys", "dev", "tmp", "run", "hil", "root", "usr/src"):
        (tree / name).mkdir(parents=True, exist_ok=True)


def _merge(source: Path, target: Path) -> None:
    """Moves everything in a folder to another one, and removes it."""
    target.mkdir(parents=True, exist_ok=True)
    for path in list(source.iterdir()):
        if path.is_dir() and not path.is_symlink():
            _merge(path, target / path.name)
        else:
            path.replace(target / path.name)
    source.rmdir()
