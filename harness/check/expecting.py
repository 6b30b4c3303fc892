# SPDX-License-Identifier: MIT
"""Tables of what a user expects of programs on lanes, for CI: TOML, a section a program, a line a pattern of lanes.

["probe.o:count"]
"debian-*/x86_64" = "attaches"
"debian-11/arm64" = "refused: helper"
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from harness.lane import compact
from harness.run.checked import Checked, Word
from hil.errors import UserError
from hil.nearest import nearest
from hil.whole import write_whole

Table = Mapping[str, Mapping[str, str]]
"""By the program's script and a pattern of lanes, in the order of the file."""


def read(path: Path, known: Collection[str]) -> Table:
    """Returns the table; raises UserError for a file that is none, and for a program that is not in `known`."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--expect {path}: {error}", remedy="write one with --write-expect") from None
    for program, lanes in table.items():
        if program not in known:
            raise UserError(f"--expect {path}: no object has {program!r}", remedy=nearest(program, known))
        if not isinstance(lanes, dict):
            raise UserError(f"--expect {path}: {program!r} has no lines LANES = WORD")
        for pattern, word in lanes.items():
            if not isinstance(word, str) or word.partition(": ")[0] not in [*Word]:
                words = ", ".join(Word)
                raise UserError(f"--expect {path}: {program} on {pattern}: {word!r} is none of: {words}")
    return table


def expected(table: Table, one: Checked) -> Checked:
    """Returns the result with what the table says of it: the first pattern that matches its lane counts."""
    for pattern, word in table.get(one.script, {}).items():
        if _matches(pattern, one.lane):
            return replace(one, expected=word)
    return one


def write(path: Path, checked: Iterable[Checked]) -> None:
    """Writes the table of what was seen."""
    seen: dict[str, dict[str, list[str]]] = {}
    for one in checked:
        seen.setdefault(one.script, {}).setdefault(one.verdict, []).append(one.lane)
    lines = []
    for script, words in seen.items():
        lines.append(f"[{json.dumps(script)}]")
        for word, lanes in words.items():
            lines += [f"{json.dumps(pattern)} = {json.dumps(word)}" for pattern in compact(lanes)]
        lines.append("")
    write_whole(path, "\n".join(lines))


def _matches(pattern: str, lane: str) -> bool:
    parts = pattern.split("/")
    parts += ["*"] * (3 - len(parts))
    return all(map(fnmatchcase, lane.split("/"), parts))
