# SPDX-License-Identifier: MIT
"""The objects in the files that a user names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.check.trying import NamedObject
from harness.objects import embedded
from harness.objects.reader import read
from hil.errors import UserError

MOST_CONTENT = 1 << 30
"""Bytes of a file, which may be a program that holds objects."""


def objects(files: Iterable[Path], section: str | None = None) -> Iterator[NamedObject]:
    """Yields every object in the files; raises UserError for one that holds none, or none with `section`."""
    found = False
    for file in files:
        if file.stat().st_size > MOST_CONTENT:
            raise UserError(f"{file} has more than {MOST_CONTENT >> 20} MiB", remedy="give the object by itself")
        content = file.read_bytes()
        for one in list(embedded.objects(content)) or [embedded.Embedded(0, content)]:
            name = f"{file}@{one.offset:#x}" if one.offset else str(file)
            made = read(one.content)
            found = True
            yield NamedObject(name, made)
    if not found:
        raise UserError("no file holds an object", remedy="give what clang -target bpf made")
