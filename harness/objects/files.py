# SPDX-License-Identifier: MIT
"""The objects in a file that a user names: the file itself, or those in a program that holds some."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.objects import embedded
from harness.objects.object_file import ObjectFile
from harness.objects.reader import read
from harness.objects.reasons import Refused
from hil.errors import UserError

MOST_CONTENT = 1 << 30
"""Bytes of a file, which may be a program that holds objects."""


def objects_of(file: Path) -> Iterator[tuple[str, ObjectFile | Refused]]:
    """Yields each object in a file by its name, or why it is none; the name has the byte that it begins at where a file
    holds several. Raises UserError for a file that is too long."""
    if file.stat().st_size > MOST_CONTENT:
        raise UserError(f"{file} has more than {MOST_CONTENT >> 20} MiB", remedy="give the object by itself")
    content = file.read_bytes()
    for one in list(embedded.objects(content)) or [embedded.Embedded(0, content)]:
        name = f"{file}@{one.offset:#x}" if one.offset else str(file)
        try:
            yield name, read(one.content)
        except Refused as error:
            yield name, error
