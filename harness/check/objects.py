# SPDX-License-Identifier: MIT
"""The objects in the files that a user names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.check.trying import NamedObject
from harness.objects import embedded
from harness.objects.reader import read
from harness.objects.reasons import Refused
from hil.errors import UserError

MOST_CONTENT = 1 << 30
"""Bytes of a file, which may be a program that holds objects."""


def objects(files: Iterable[Path]) -> Iterator[NamedObject]:
    """Yields every object in the files; raises UserError for a file that is none, or holds none."""
    for file in files:
        if file.stat().st_size > MOST_CONTENT:
            raise UserError(f"{file} has more than {MOST_CONTENT >> 20} MiB", remedy="give the object by itself")
        content = file.read_bytes()
        for one in list(embedded.objects(content)) or [embedded.Embedded(0, content)]:
            name = f"{file}@{one.offset:#x}" if one.offset else str(file)
            try:
                yield NamedObject(name, read(one.content))
            except Refused as error:
                raise UserError(f"{name}: {error.what}", remedy=error.remedy) from None
