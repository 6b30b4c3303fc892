# SPDX-License-Identifier: MIT
"""Private folders for unix sockets, with short paths, which are removed when their owner ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "hil-machine-"
_STALE_SECONDS = 3600.0
"""Seconds, more than any host takes between making a folder and locking it."""


class SocketFolder:
    """A folder of mode 0700 with a short path, because `sun_path` holds 107 bytes only (unix(7)).

    Its owner holds an flock(2) on it. The kernel releases the lock when the owner dies, however it dies, so the next
    owner recognizes stale folders, and removes them.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or _parent()
        remove_stale(parent)
        # Locked under another name first: under its final one, another bench could find it stale before it is locked.
        fresh = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=parent))
        self._lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = fresh.rename(parent / fresh.name[1:])
        self._finalizer = weakref.finalize(self, _remove, self.path, self._lock)

    def remove(self) -> None:
        """Remove the folder and its content; harmless when repeated. Also called when the interpreter ends."""
        self._finalizer()


def remove_stale(parent: Path) -> list[Path]:
    """Remove the folders whose owner is gone; returns them."""
    removed = []
    for folder in (*parent.glob(f"{_PREFIX}*"), *_never_locked(parent)):
        # Not ours, or gone meanwhile.
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            if os.fstat(descriptor).st_uid != os.getuid():
                os.close(descriptor)
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                continue
            _remove(folder, descriptor)
            removed.append(folder)
    return removed


def _never_locked(parent: Path) -> Iterator[Path]:
    """Yield the folders whose owner died between making and locking them: those that have been unlocked for long."""
    for folder in parent.glob(f".{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                yield folder


def _parent() -> Path:
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nowhere")
    # /run/user/<uid> is short and private; a longer one leaves no room for names.
    return runtime if os.access(runtime, os.W_OK) and len(os.fsencode(runtime)) < 64 else Path("/tmp")


def _remove(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
