# SPDX-License-Identifier: MIT
"""Writes files atomically."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` by way of a temporary file beside it, so that neither a full disk nor an interrupt leaves
    a partial one; raises OSError on failure."""
    temporary = path.with_name(f"{path.name}.partial")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
