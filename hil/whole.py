# SPDX-License-Identifier: MIT
"""Writes files atomically."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hil.errors import UserError


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` by way of a temporary file beside it, so that neither a full disk nor an interrupt leaves
    a partial one; of several that write at once the last one's text is whole. Raises OSError on failure.

    A link stays, and the file that it leads to is written. What is there and no file (a device, a pipe) is written to,
    since a file in its place would take it from everybody. Names that are no UTF-8, as files may have, are written as
    `\\udcff`.
    """
    content = text.encode(errors="backslashreplace")
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = path.resolve()
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_place(path: Path, option: str) -> None:
    """Raises UserError when no file can be made at `path`, which `option` names, as far as that is known before
    anything is written: before a run, whose results would have no place afterwards."""
    if not path.name or path.is_dir():
        raise UserError(f"{option} {str(path)!r} names no file", remedy="name the file to write")
    if not path.parent.is_dir():
        raise UserError(f"{option} {path}: there is no folder {path.parent}", remedy="make it, or name another place")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UserError(f"{option} {path} cannot be written", remedy="look at its permissions, or name another place")
