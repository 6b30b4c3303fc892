# SPDX-License-Identifier: MIT
"""The user's folders, by the XDG base directory specification."""

from __future__ import annotations

from pathlib import Path

from platformdirs import PlatformDirs

_DIRS = PlatformDirs("hil", appauthor=False)


def cache() -> Path:
    """The folder for what can be fetched or built again: kernels, packages, guest roots, agents."""
    return Path(_DIRS.user_cache_dir)


def config() -> Path:
    """The folder for what the user writes: records of distributions."""
    return Path(_DIRS.user_config_dir)


def state() -> Path:
    """The folder for what must last: keys, the history of runs."""
    return Path(_DIRS.user_state_dir)
