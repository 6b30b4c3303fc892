# SPDX-License-Identifier: MIT
"""Private folders for unix sockets: short, ours alone, and gone when their owner is."""

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
_INSTANT = 3600.0
"""Seconds, more than any host takes for it."""


class SocketFolder:
    """A folder of mode 0700 with a short path: `sun_path` holds 107 bytes (unix(7)), deep folders do not fit.

    Its owner holds an flock(2) on it. The kernel drops the lock when the owner dies, however it dies, so the next owner
    knows which folders nobody will ever remove, and removes them.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or _parent()
        remove_stale(parent)
        # Locked under another name first: under its own, another bench could take it for stale before we lock it.
        fresh = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=parent))
        self._lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = fresh.rename(parent / fresh.name[1:])
        self._finalizer = weakref.finalize(self, _remove, self.path, self._lock)

    def remove(self) -> None:
        """Remove the folder with what is in it; harmless when repeated. Also happens when the interpreter ends."""
        self._finalizer()


def remove_stale(parent: Path) -> list[Path]:
    """Remove the folders whose owner is gone; the removed ones."""
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
    """Folders whose owner died in the instant between making and locking them: old ones, since that takes no time."""
    for folder in parent.glob(f".{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _INSTANT:
                yield folder


def _parent() -> Path:
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nowhere")
    # /run/user/<uid> is short and private; a longer one leaves no room for names.
    return runtime if os.access(runtime, os.W_OK) and len(os.fsencode(runtime)) < 64 else Path("/tmp")


def _remove(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
