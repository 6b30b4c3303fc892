# SPDX-License-Identifier: MIT
"""The sections of clauses: title, introduction, and where in the kernel their statements come from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.release import release
from harness.script.clause import FIRST

FILE = Path(__file__).with_name("sections.toml")


@dataclass(frozen=True)
class Section:
    """A section. `sources` has the source of a clause, by the beginning of its id and by the era from which on it
    holds."""

    name: str
    title: str
    introduction: str
    sources: Mapping[str, Mapping[str, str]]

    def source(self, id: str, era: str) -> str:
        """Returns the source of the longest beginning of `id` that has a row, in `era`; "" where there is none."""
        beginnings = [beginning for beginning in self.sources if id.startswith(beginning)]
        rows = self.sources[max(beginnings, key=len)] if beginnings else {}
        known = [since for since in rows if release(since) <= release(era)]
        return rows[max(known, key=release)] if known else ""


@cache
def sections() -> Mapping[str, Section]:
    """Returns every section of the file by its name, which is that of the module with its clauses."""
    return {
        name: Section(name, row["title"], row["introduction"], {id: _rows(said) for id, said in row["sources"].items()})
        for name, row in tomllib.loads(FILE.read_text()).items()
    }


def _rows(said: str | Mapping[str, str]) -> Mapping[str, str]:
    return {FIRST: said} if isinstance(said, str) else said
