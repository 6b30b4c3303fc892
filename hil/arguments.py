# SPDX-License-Identifier: MIT
"""Types of the arguments of commands."""

from __future__ import annotations

import os
from pathlib import Path

import click


class InputFile(click.Path):
    """A file that is read whole. A device or a pipe is refused: it may have no end, or nobody may ever write to it."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Returns the path; click's usage error for what is no regular file."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.is_file():
            self.fail(f"{path} is a device or a pipe; copy what it gives into a file, and name that.", param, ctx)
        return path


INPUT_FILE = InputFile()
