# SPDX-License-Identifier: MIT
"""Tables of what a user expects of programs on lanes, for CI: TOML, a section a program, a line a pattern of lanes.

["probe.o:count"]
"debian-*/x86_64" = "attaches"
"debian-11/arm64" = "refused: helper"
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from harness.check.kinds import KINDS
from harness.lane import Lane, compact, select
from harness.run.checked import WITH_REASON, Checked, Word
from hil.errors import UserError
from hil.kernels import catalogue
from hil.nearest import nearest
from hil.whole import write_whole

Table = Mapping[str, Mapping[str, str]]
"""By the program's script and a pattern of lanes, in the order of the file."""


def read(path: Path, known: Collection[str], lanes: Sequence[Lane]) -> Table:
    """Returns the table. Raises UserError for a file that is none, a program that is not in `known`, a pattern of none
    of these `lanes`, and a word or a kind of reasons that there is not: what matches nothing would demand nothing."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--expect {path}: {error}", remedy="write one with --write-expect") from None
    if not table:
        raise UserError(f"--expect {path} demands nothing", remedy="write one with --write-expect")
    for program, words in table.items():
        if program not in known:
            raise UserError(f"--expect {path}: no object has {program!r}", remedy=nearest(program, known))
        if not isinstance(words, dict) or not words:
            raise UserError(f"--expect {path}: {program!r} has no lines LANES = WORD", remedy='write "*" = "loads"')
        for pattern, word in words.items():
            where = f"--expect {path}: {program} on {pattern}"
            _check_lane(where, pattern, lanes)
            _check_word(where, word)
    return table


def _check_lane(where: str, pattern: str, lanes: Sequence[Lane]) -> None:
    """Raises UserError for a pattern of no lane. Of a point release, the kernel of the catalogue counts: its versions
    come and go."""
    kernel, slash, rest = pattern.partition("/")
    try:
        if not any(_matches(pattern, str(lane)) for lane in lanes):
            select([catalogue.kernel_of(kernel) + slash + rest], lanes)
    except UserError as error:
        raise UserError(f"{where}: {error.what}", remedy=error.remedy) from None


def _check_word(where: str, said: object) -> None:
    """Raises UserError for what is no word, or has a kind of reasons that there is not."""
    word, colon, kind = said.partition(": ") if isinstance(said, str) else ("", "", "")
    if word not in [*Word]:
        raise UserError(f"{where}: {said!r} is none of: {', '.join(Word)}", remedy="write one of them")
    if colon and word not in WITH_REASON:
        raise UserError(f"{where}: {said!r}: {word!r} has no reason", remedy=f"write {word!r} alone")
    if colon and kind not in KINDS:
        raise UserError(f"{where}: {said!r}: there is no kind of reason {kind!r}", remedy=nearest(kind, sorted(KINDS)))


def check_left_out(table: Table, left: Mapping[Lane, str]) -> None:
    """Raises UserError for a lane that is left out, of which the table demands something: it would be met by nothing.
    `left` says why, by lane."""
    for lane, why in left.items():
        for program, words in table.items():
            if any(_matches(pattern, str(lane)) for pattern in words):
                raise UserError(
                    f"--expect demands something of {program} on {lane}, which is left out: {why}",
                    remedy="get its kernel, or leave the lane out of --lanes",
                )


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
    return len(parts) == 3 and all(map(fnmatchcase, lane.split("/"), parts))
