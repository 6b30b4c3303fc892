# SPDX-License-Identifier: MIT
"""The sources of a kernel: the tarball that the catalogue names, identified by its hash."""

from __future__ import annotations

import shutil
from pathlib import Path

from hil import cache, directories
from hil.digest import sha256
from hil.errors import BenchError, UserError
from hil.kernels.building.download import download
from hil.kernels.catalogue import Tarball
from hil.kernels.progress import Listener


def ensure(source: Tarball, own: Path | None, progress: Listener) -> Path:
    """The path of the verified tarball in the cache, where it is copied from the user's `own`, or downloaded, if
    needed.

    Raises UserError when `own` is another file; raises BenchError when it cannot be downloaded, or the server has
    another file.
    """
    target = directories.cache() / "sources" / str(source)
    with cache.locked(target, notify=progress.step):
        if target.exists() and sha256(target) == source.sha256:
            return target
        partial = target.with_name(f"{target.name}.part")
        if own is not None:
            _copy(source, own, partial, progress)
        else:
            _download(source, partial, progress)
        with cache.writing(target):
            partial.chmod(0o444)
            partial.replace(target)
    return target


def _copy(source: Tarball, own: Path, partial: Path, progress: Listener) -> None:
    progress.step(f"verifying {own}")
    try:
        # Not shutil.copyfile(): when the target's disk is full, its error names the source.
        with cache.writing(partial), own.open("rb") as reader, partial.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
        actual = sha256(partial)  # of the copy: the user's file can change
        if actual != source.sha256:
            raise UserError(
                f"{own} is not {source}: its sha256 is {actual}, not {source.sha256}",
                remedy=f"give the file from {source.url}, or leave --tarball out to download it",
            )
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot read {own}: {error.strerror}") from None
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _download(source: Tarball, partial: Path, progress: Listener) -> None:
    progress.step(f"downloading {source.url}")
    # What an earlier run left may be the beginning of another file; then there is a second attempt without it.
    for left_over in (partial.exists(), False):
        download(source.url, partial, progress)
        actual = sha256(partial)
        if actual == source.sha256:
            return
        partial.unlink()
        if not left_over:
            break
    raise BenchError(
        f"{source.url} is not what the catalogue names: its sha256 is {actual}, not {source.sha256}",
        remedy=f"perhaps a proxy answered instead of the server: get {source} elsewhere and give it as --tarball",
    )
