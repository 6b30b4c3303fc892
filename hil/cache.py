"""Folders of the cache: filled once by whoever comes first, read by everyone after.

A folder appears under its final name in one step and complete, so a reader needs no lock. Whoever fills one holds the
lock beside it, works in a temporary folder on the same file system, and leaves nothing behind when it fails.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from hil import programs
from hil.errors import BenchError

_ELSEWHERE = "set XDG_CACHE_HOME to a folder you can write to"
_REMEDIES = {
    errno.EACCES: f"make it writable, or {_ELSEWHERE}",
    errno.EPERM: f"make it writable, or {_ELSEWHERE}",
    errno.EROFS: _ELSEWHERE,
    errno.ENOSPC: f"free space there, or {_ELSEWHERE}",
    errno.EDQUOT: f"free space there, or {_ELSEWHERE}",
    errno.ENOTDIR: f"move away the file that is in its place, or {_ELSEWHERE}",
}


_OF_WRITING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Nobody meets these by reading."""

_LOOK = 1.0
"""Seconds after which whoever waits for a lock looks up."""


class Unusable(BenchError):
    """The cache cannot be written or entered: no permission, no space, read-only."""

    def __init__(self, path: str | Path, number: int) -> None:
        super().__init__(f"cannot use the cache at {path}: {os.strerror(number)}", remedy=_REMEDIES[number])


def complaint(folder: Path, text: str) -> Unusable | None:
    """The same trouble when a program we ran met it below `folder` and could only print what the C library calls it."""
    return next((Unusable(folder, number) for number in _REMEDIES if os.strerror(number) in text), None)


def ensure_room(folder: Path, size: int) -> None:
    """Unusable when the file system of `folder`, which exists, has less than `size` bytes left."""
    if shutil.disk_usage(folder).free < size:
        raise Unusable(folder, errno.ENOSPC)


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """Turn "cannot write here" of the operating system into Unusable, which says what to do; pass on the rest."""
    try:
        yield
    except OSError as error:
        culprit = _culprit(error, folder)
        if error.errno not in _REMEDIES or culprit is None:
            raise
        raise Unusable(culprit, error.errno) from error


def _culprit(error: OSError, folder: Path) -> Path | None:
    """The folder to blame: ours or one above it; None when the error is about a file somebody gave us to read."""
    if error.errno in _OF_WRITING:  # shutil names the file it copies from
        return folder
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
    if path.is_relative_to(folder.parent):
        return folder
    return path if folder.is_relative_to(path) else None


@contextmanager
def locked(folder: Path, *, notify: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock that belongs to `folder`, beside it; other processes wait. Make the parent when there is none."""
    path = folder.with_name(f".{folder.name}.lock")
    with written(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            notify(f"waiting for another process that is at work on {folder}")
            _await(lock, folder)
    try:
        yield
    finally:
        lock.release()


def _await(lock: FileLock, folder: Path) -> None:
    """Wait for as long as it takes; BenchError when we are to end before."""
    while True:
        try:
            lock.acquire(timeout=_LOOK)
            return
        except Timeout:
            if programs.ending():
                raise BenchError(f"nobody waits for {folder} any more: the bench is about to end") from None


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder`, read-only, when the block ends well, and vanishes otherwise.

    What was at `folder` before stays until that moment. The caller holds `locked(folder)`, which is why left-overs of
    a process that was killed can be swept here.
    """
    with written(folder):
        for left_over in folder.parent.glob(f".{folder.name}.new-*"):
            remove(left_over)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new-", dir=folder.parent))
        try:
            yield new
            freeze(new)
            remove(folder)
            # The same parent: moving a read-only folder to another one would need its write permission.
            new.rename(folder)
        except BaseException:
            remove(new)
            raise


def freeze(folder: Path) -> None:
    """Make all below `folder`, and itself, readable by everyone and writable by nobody."""
    for parent, _, files in os.walk(folder):
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)
        Path(parent).chmod(0o555)


def remove(folder: Path) -> None:
    """Remove a folder whether it is read-only or not; harmless when there is none."""
    if not folder.exists():
        return
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o755)
    shutil.rmtree(folder)
