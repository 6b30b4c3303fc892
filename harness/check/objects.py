# SPDX-License-Identifier: MIT
"""The objects in the files that a user names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.check.trying import NamedObject
from harness.objects.files import objects_of
from harness.objects.reasons import Refused
from hil.errors import UserError


def objects(files: Iterable[Path]) -> Iterator[NamedObject]:
    """Yields every object in the files; raises UserError for a file that is none, or holds none."""
    for file in files:
        for name, found in objects_of(file):
            if isinstance(found, Refused):
                raise UserError(f"{name}: {found.what}", remedy=found.remedy)
            yield NamedObject(name, found)
