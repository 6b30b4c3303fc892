# SPDX-License-Identifier: MIT
"""Divergences of generated cases that are understood: of those cases only whose programs do what the kernel gets wrong.

A row of known.toml is what `harness.run.known` says, and `code`: a regular expression for the text of a program. Of a
kernel it becomes one entry for each case that has such code, so that nothing is excused in any other.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from harness.isa.text import listing
from harness.lane import Lane
from harness.run.known import KnownDivergence
from harness.script.operations import LoadProgram, Script
from hil.errors import BenchError

KNOWN = Path(__file__).parent / "known.toml"


@dataclass(frozen=True)
class _Row:
    lane: str
    operation: str
    code: str
    reason: str
    link: str


def known(lanes: Iterable[Lane], scripts: Iterable[Script]) -> Iterator[KnownDivergence]:
    """What is known of the cases of one kernel on its lanes."""
    concerned = [(str(lane), row) for lane in lanes for row in rows() if fnmatchcase(str(lane), row.lane)]
    for script in scripts if concerned else ():
        text = code(script)
        for lane, row in concerned:
            if re.search(row.code, text):
                yield KnownDivergence(script.name, lane, row.operation, row.reason, row.link)


def code(script: Script) -> str:
    """The programs of a case, an instruction a line."""
    loads = (one for one in script.operations if isinstance(one, LoadProgram))
    return "".join(f"{line}\n" for load in loads for _, line in listing(load.program))


@cache
def rows(path: Path = KNOWN) -> tuple[_Row, ...]:
    """The `[[known]]` tables of the file; BenchError for one with other fields than these."""
    try:
        return tuple(_Row(**row) for row in tomllib.loads(path.read_text()).get("known", ()))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise BenchError(f"{path}: {error}") from None
