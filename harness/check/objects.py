# SPDX-License-Identifier: MIT
"""The objects in the files that a user names."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.check.trying import NamedObject
from harness.objects.files import objects_of
from harness.objects.reasons import Refused
from hil.errors import UserError


def objects(files: Iterable[Path]) -> Iterator[NamedObject]:
    """Yields every object in the files; raises UserError for a file that is none, or holds none, and for one without
    programs."""
    for file in files:
        programs = 0
        for name, found in objects_of(file):
            if isinstance(found, Refused):
                raise UserError(f"{name}: {found.what}", remedy=found.remedy)
            programs += len(found.programs)
            yield NamedObject(name, found)
        if not programs:
            raise UserError(f"{file} holds no program", remedy=f"see hil object {shlex.quote(str(file))}")
