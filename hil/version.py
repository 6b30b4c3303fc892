# SPDX-License-Identifier: MIT
"""Which hil this is, to the commit: results are worth little when nobody can tell what gave them.

A wheel carries what it was built from in its version (hatch-vcs). In a checkout that version is of the day of its
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
"""Seconds; git reads the state of a few hundred files."""


@cache
def version() -> str:
    """By PEP 440: `0.2.dev0+g0123456789ab` is made of that commit on the way to 0.2; `.d` and something behind it, or
    `.dirty` in a checkout, means that files differ from the commit, `unknown` that git could not be asked.

    Of a checkout as it was when this was first asked.
    """
    installed = metadata.version("hil")
    if not (_CHECKOUT / ".git").exists():
        return installed
    return of_checkout(_CHECKOUT, installed)


def of_checkout(folder: Path, installed: str) -> str:
    """The version of what is in `folder` now; of `installed`, the version its metadata has, the release counts."""
    release = re.split(r"\.dev|\+", installed)[0]
    return f"{release}.dev0+{_commit(folder)}"


def _commit(folder: Path) -> str:
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty=.dirty", "--abbrev=12", "--exclude=*"]
    # A hook of git's has these set for another repository; and to look must not write to the index.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"g{said.stdout.strip()}"
