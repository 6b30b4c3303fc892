# SPDX-License-Identifier: MIT
"""The root file system that a user names: Debian's by the name of its kernel, a folder, or a tar or cpio archive."""

from __future__ import annotations

import hashlib
import lzma
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hil import cache, directories, programs
from hil.arch import Architecture
from hil.digest import sha256
from hil.errors import UserError
from hil.rootfs import debian, image

_CPIO = (b"070701", b"070702", b"070707")
Notify = Callable[[str], None]


@contextmanager
def chosen(
    named: str, arch: Architecture, packages: Sequence[str] = (), *, notify: Notify = lambda _: None
) -> Iterator[Path]:
    """Yields the disk with the root file system `named`. Debian's and those of archives are kept in the cache; that of
    a folder, which may change at any time, is made anew and removed afterwards.

    Raises UserError for what is none of these, BenchError when it cannot be made.
    """
    check(named, packages)
    path = Path(named)
    if _is_suite(named):
        yield debian.root_disk(named, arch, packages, notify=notify).path
        return
    if path.is_dir():
        with tempfile.TemporaryDirectory(prefix="root-", dir=_made(directories.cache() / "disks")) as temporary:
            disk = Path(temporary) / debian.IMAGE
            notify(f"making a disk of {path}")
            image.make(path, disk)
            yield disk
        return
    key = hashlib.sha256(f"{sha256(path)} 1".encode()).hexdigest()[:12]
    folder = directories.cache() / "disks" / f"archive-{key}"
    cache.ensure(folder, lambda new: _unpacked(path, new), notify=notify)
    yield folder / debian.IMAGE


def check(named: str, packages: Sequence[str] = ()) -> None:
    """Raises UserError for what names no root file system, as far as that is known before anything is fetched."""
    path = Path(named)
    if not named or not (_is_suite(named) or path.is_dir() or path.is_file()):
        raise UserError(f"there is no root file system {named!r}", remedy="name a folder, or a tar or cpio archive")
    if _is_suite(named):
        debian.suite_of(named)
    elif packages:
        raise UserError(f"--packages are for Debian's roots, not for {named}", remedy="install them in it yourself")


def _is_suite(named: str) -> bool:
    return "/" not in named and not Path(named).exists()


def _made(folder: Path) -> Path:
    with cache.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _unpacked(archive: Path, new: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=new) as temporary:
        tree = Path(temporary)
        with archive.open("rb") as file:
            magic = file.read(6)
        if magic in _CPIO:
            _run(["cpio", "--extract", "--make-directories", "--no-absolute-filenames", "--quiet", "-F"], archive, tree)
        elif _is_tar(archive):
            _run(["tar", "--extract", "--no-same-owner", "--exclude=./dev/*", "--exclude=dev/*", "-f"], archive, tree)
        else:
            raise UserError(f"{archive} is neither a tar nor a cpio archive", remedy="unpack it, and name the folder")
        image.make(tree, new / debian.IMAGE)


def _is_tar(archive: Path) -> bool:
    """Whether it is a tar archive, compressed or not; raises UserError for one that ends in its beginning."""
    try:
        return tarfile.is_tarfile(archive)
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"{archive} is damaged: {error}", remedy="make or copy it again") from None


def _run(argv: Sequence[str], archive: Path, tree: Path) -> None:
    done = programs.run([*argv, str(archive.resolve())], cwd=tree, environment={**os.environ, "LC_ALL": "C"})
    if done.returncode == programs.NOT_FOUND:
        raise UserError(f"no {argv[0]} on this host, which unpacks {archive}", remedy=f"install the package {argv[0]}")
    if done.returncode:
        if error := cache.error_in_output(tree, done.stderr):
            raise error
        raise UserError(f"cannot unpack {archive}", remedy="look at its messages", details=done.stderr)
