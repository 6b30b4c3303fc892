# SPDX-License-Identifier: MIT
"""The version of hil including the commit, which every result records.

The version of a wheel has the commit that it was built from (hatch-vcs). In a checkout that version is as old as the
installation, so git is asked instead.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]
_PATIENCE = 10.0
"""Seconds that git may take to read the state of a few hundred files."""


@cache
def version() -> str:
    """The version by PEP 440: `0.2.dev0+g0123456789ab` is that commit on the way to 0.2; `.d` and a date, or `.dirty`
    in a checkout, means that files differ from the commit, `unknown` that git failed.

    For a checkout it is determined at the first call.
    """
    installed = metadata.version("hil")
    if not (_CHECKOUT / ".git").exists():
        return installed
    return of_checkout(_CHECKOUT, installed)


def of_checkout(folder: Path, installed: str) -> str:
    """The version of the checkout in `folder` now, with the release of `installed`, the version in the metadata."""
    release = re.split(r"\.dev|\+", installed)[0]
    return f"{release}.dev0+{_commit(folder)}"


def _commit(folder: Path) -> str:
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty=.dirty", "--abbrev=12", "--exclude=*"]
    # A git hook sets these for another repository; and this must not write to the index.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"g{done.stdout.strip()}"
