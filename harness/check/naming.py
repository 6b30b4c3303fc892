# SPDX-License-Identifier: MIT
"""How one program of an object file is named: FILE, or FILE:PROGRAM."""

from __future__ import annotations

from pathlib import Path


def split(what: str) -> tuple[Path | None, str]:
    """Returns the file and the program in it, "" for its only one; no file where there is none."""
    before, _, after = what.rpartition(":")
    for name, program in ((what, ""), (before, after)):
        if name and Path(name).is_file():
            return Path(name), program
    return None, ""
