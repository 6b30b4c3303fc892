# SPDX-License-Identifier: MIT
"""Where the recipes (`images`) and the agent's sources (`guest`) are: in the wheel, or beside us in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def folder(name: Literal["images", "guest"]) -> Path:
    """The folder that holds the data files of `name`, read-only for us."""
    packaged = _PACKAGE / "_resources" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
