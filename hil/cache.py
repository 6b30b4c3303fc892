# SPDX-License-Identifier: MIT
"""Folders of the cache: filled by the first process that needs them, then only read.

A folder appears under its final name in one step and complete, so a reader needs no lock. The process that fills it
holds the lock beside it, works in a temporary folder on the same file system, and removes that when it fails.

A folder is sealed: it lists the sha256 of every file in it, and these are checked before a file is used. A file that
differs is Damaged, and its folder is made again. One that cannot be read is Unusable, and stays: it may be whole. What
a process without descriptors or memory meets is neither.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from hil import programs
from hil.digest import sha256
from hil.errors import EXHAUSTED, BenchError, os_error

_log = logging.getLogger(__name__)

_ELSEWHERE = "set XDG_CACHE_HOME to a folder you can write to"
_REMEDIES = {
    errno.EACCES: f"make it writable, or {_ELSEWHERE}",
    errno.EPERM: f"make it writable, or {_ELSEWHERE}",
    errno.EROFS: _ELSEWHERE,
    errno.ENOSPC: f"free space there, or {_ELSEWHERE}",
    errno.EDQUOT: f"free space there, or {_ELSEWHERE}",
    errno.EIO: f"its disk fails, see the host's kernel log; repair it, or {_ELSEWHERE}",
    errno.ENOTDIR: f"move away the file that is in its place, or {_ELSEWHERE}",
}


_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors that only writing can give."""

_LOCK_INTERVAL = 1.0
"""Seconds after which a process that waits for a lock checks whether it was asked to end."""


class Unusable(BenchError):
    """The cache cannot be read, written or entered: no permission, no space, read-only, a disk that fails."""

    def __init__(self, path: str | Path, number: int) -> None:
        remedy = _REMEDIES.get(number, _ELSEWHERE)
        super().__init__(f"cannot use the cache at {path}: {os.strerror(number)}", remedy=remedy)
        self.number = number


class Damaged(BenchError):
    """A file of the cache differs from what was written."""


_SEAL = "sha256sums"
"""The name of the list of hashes, in the format of sha256sum(1); its last line is the hash of the lines before it."""


def error_in_output(folder: Path, text: str) -> Unusable | None:
    """The error that a program we ran below `folder` printed by its strerror(3) text; None when `text` has none."""
    return next((Unusable(folder, number) for number in _REMEDIES if os.strerror(number) in text), None)


def ensure_room(folder: Path, size: int) -> None:
    """Raises Unusable when the file system of `folder`, which exists, has less than `size` bytes left."""
    if shutil.disk_usage(folder).free < size:
        raise Unusable(folder, errno.ENOSPC)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn an OSError that means that `folder` cannot be written into Unusable; let others pass."""
    try:
        yield
    except OSError as error:
        culprit = _culprit(error, folder)
        if error.errno not in _REMEDIES or culprit is None:
            raise
        raise Unusable(culprit, error.errno) from error


def _culprit(error: OSError, folder: Path) -> Path | None:
    """The folder that the error is about, ours or one above it; None when it is about a file that we were to read."""
    if error.errno in _WRITE_ERRORS:  # shutil names the file it copies from
        return folder
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
    if path.is_relative_to(folder.parent):
        return folder
    return path if folder.is_relative_to(path) else None


@contextmanager
def locked(folder: Path, *, notify: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock of `folder`, a file beside it, so that other processes wait. Makes the parent when there is
    none."""
    path = _lock_file(folder)
    with writing(folder):
        lock = FileLock(path)
        try:
            _acquire(lock, 0)
        except Timeout:
            _log.info("waiting for another process that works on %s", folder)
            notify(f"waiting for another process that works on {folder}")
            _await(lock, folder)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_at_once(folder: Path) -> Iterator[bool]:
    """Hold the lock of `folder`, which has a parent, as `locked` does; yields False where another process holds it."""
    lock = FileLock(_lock_file(folder))
    with writing(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
    try:
        yield True
    finally:
        lock.release()


def held(folder: Path) -> bool:
    """Whether another process holds the lock of `folder`, which need not exist."""
    if not _lock_file(folder).exists():
        return False
    with locked_at_once(folder) as ours:
        return not ours


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _await(lock: FileLock, folder: Path) -> None:
    """Wait for the lock without a time limit; raises BenchError when the bench is asked to end meanwhile."""
    while True:
        try:
            _acquire(lock, _LOCK_INTERVAL)
            return
        except Timeout:
            if programs.ending():
                raise BenchError(f"no longer waiting for the lock of {folder}: the bench is about to end") from None


def _acquire(lock: FileLock, seconds: float) -> None:
    """Take a lock, whose folder is made when there is none; raises Timeout when that takes more than `seconds`."""
    while True:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # removed meanwhile by `remove_with_lock`
            lock.acquire(timeout=seconds)
            return


def left_overs(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yields each folder below `root` that is being filled, or that a killed process was filling, with the folder whose
    lock guards it."""
    for path in sorted(root.glob("**/.*.new-*")):
        if path.is_dir():
            yield path, path.with_name(path.name[1:].partition(".new-")[0])


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder`, read-only, when the block succeeds, and is removed otherwise.

    What was at `folder` before stays until that moment. The caller holds `locked(folder)`, so what a killed process
    left over can be removed here.
    """
    with writing(folder):
        for left_over in folder.parent.glob(f".{folder.name}.new-*"):
            remove(left_over)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new-", dir=folder.parent))
        try:
            yield new
            _seal(new)
            freeze(new)
            remove(folder)
            # The same parent: moving a read-only folder to another one would need its write permission.
            new.rename(folder)
        except BaseException:
            remove(new)
            raise


def ensure(folder: Path, make: Callable[[Path], None], *, notify: Callable[[str], None] = lambda _: None) -> None:
    """Ensure that `folder` exists and is whole: when it does not or is damaged, `make` fills an empty one."""
    if _is_whole(folder, lambda _: None):
        _log.debug("taking %s", folder)
        return
    with locked(folder, notify=notify):
        if not _is_whole(folder, notify):
            _log.info("making %s", folder)
            with replaced(folder) as new:
                make(new)


def _is_whole(folder: Path, notify: Callable[[str], None]) -> bool:
    if not folder.exists():
        return False
    try:
        check(folder)
    except Damaged as damage:
        _log.warning("%s", damage)
        notify(f"{damage}; making it again")
        return False
    return True


def _seal(folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = "".join(f"{sha256(path)}  {path.relative_to(folder)}\n" for path in paths)
    (folder / _SEAL).write_text(f"{lines}{_own_digest(lines)}\n")


def _own_digest(lines: str) -> str:
    return f"# {hashlib.sha256(lines.encode()).hexdigest()}"


def check(folder: Path) -> None:
    """Raise Damaged when a file below `folder` differs from what was sealed; when one cannot be read, as `reading`.

    Reads every file once, which takes a few milliseconds per megabyte.
    """
    with reading(folder / _SEAL):
        lines, _, last = (folder / _SEAL).read_text(errors="replace").rstrip("\n").rpartition("\n")
    lines = f"{lines}\n" if lines else ""
    if last != _own_digest(lines):
        raise Damaged(f"{folder / _SEAL} is damaged")
    sealed = {folder / name: digest for digest, _, name in (line.partition("  ") for line in lines.splitlines())}
    for path, digest in sealed.items():
        with reading(path):
            if sha256(path) != digest:
                raise Damaged(f"{path} is damaged: its sha256 is not the one it was made with")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError into Damaged when the file of the cache is missing, into Unusable when it cannot be read, into
    another BenchError when the process has no descriptors or memory left."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise Damaged(f"{path} is damaged: {error.strerror}") from error
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise os_error(error, path) from error
        raise Unusable(path, error.errno or errno.EIO) from error


def freeze(folder: Path) -> None:
    """Make `folder` and everything below it readable by everyone and writable by nobody."""
    for parent, _, files in os.walk(folder):
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)
        Path(parent).chmod(0o555)


def remove_with_lock(folder: Path) -> None:
    """Remove a folder whose lock the caller holds, the lock's file, and the parent when nothing else is in it. Who
    waits for the lock takes a new file: filelock looks whether the one it locked is still there."""
    remove(folder)
    _lock_file(folder).unlink(missing_ok=True)
    with suppress(OSError):  # others are in it, or wait in it
        folder.parent.rmdir()


def remove(folder: Path) -> None:
    """Remove a folder whether it is read-only or not; harmless when there is none."""
    if not folder.exists():
        return
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o755)
    shutil.rmtree(folder)
