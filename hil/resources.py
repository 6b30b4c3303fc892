# SPDX-License-Identifier: MIT
"""The folders of the recipes (`images`), the agent's sources (`guest`), and in the wheel the agents (`agents`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def folder(name: Literal["images", "guest", "agents"]) -> Path:
    """The folder with the data files of `name`, which must not be written."""
    packaged = _PACKAGE / "_resources" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
