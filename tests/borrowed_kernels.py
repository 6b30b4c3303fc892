# SPDX-License-Identifier: MIT
"""Kernels that a test imports under a name of its own into the user's cache, and takes out again."""

from __future__ import annotations

import shutil

from hil import directories
from hil.arch import Architecture
from hil.kernels import store


def forget(name: str, arch: Architecture) -> None:
    """Removes the kernel with all that was made for it; nobody else may use the name."""
    store.remove(name, arch)
    for archive in (directories.cache() / "guestroots").glob(f"{name}-{arch}-*.cpio"):
        archive.unlink()
    shutil.rmtree(store.location(name, arch).parent, ignore_errors=True)
