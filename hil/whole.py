# SPDX-License-Identifier: MIT
"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write `text` beside `path` first, so that neither a full disk nor an interrupt leaves half of it; OSError."""
    temporary = path.with_name(f"{path.name}.partial")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
