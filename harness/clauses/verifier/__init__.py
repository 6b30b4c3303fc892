# SPDX-License-Identifier: MIT
"""Clauses about programs the verifier takes or refuses, kernel/bpf/verifier.c; a TOML file a subject, a table a clause.

    id, sentence   as everywhere
    program        in the notation of harness.isa.text; a map it names is an array with one element of eight bytes
    errno          of 4.1; without it the program is accepted
    log            a part of 4.1's log: that the program is refused for the reason meant. Later logs differ by release.
    later          what else holds from an era or a stable release on: an errno, "success", or "open" where nobody has
                   looked; without it, the same errno
    until          the last era of which anything is said
    license        "GPL" where it is not given
    source         where the kernel decides so, if not where ../sections.toml says

Some programs depend on the context: its first register, at 0, can be read on every architecture.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import array
from harness.isa.text import assemble
from harness.script.clause import WORKS, Clause, Said, expect
from harness.script.expectation import Expectation
from harness.script.operations import LoadProgram, ProgramType

FOLDER = Path(__file__).parent
_SAID: dict[str, Said] = {"success": WORKS, "open": None}
_KEYS = {"id", "sentence", "program", "errno", "log", "later", "until", "license", "source"}


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    """Returns the clauses of every file, by name."""
    return _clauses()


@cache
def _clauses() -> tuple[Clause, ...]:
    return tuple(clause for path in sorted(FOLDER.glob("*.toml")) for clause in _read(path))


def _read(path: Path) -> Iterator[Clause]:
    for row in tomllib.loads(path.read_text())["clause"]:
        if unknown := row.keys() - _KEYS:
            raise ValueError(f"{path.name}: {row['id']} has unknown keys {unknown}")
        yield _clause(row)


def _clause(row: dict[str, Any]) -> Clause:
    program = assemble(row["program"])
    errno = row.get("errno")
    later: dict[str, Said] = {era: _SAID.get(said, said) for era, said in row.get("later", {}).items()}
    if errno is not None:
        later.setdefault("5.10", errno)
    maps = tuple(array(name) for name in dict.fromkeys(reference.name for _, reference in program.maps))
    load = LoadProgram("program", ProgramType.KPROBE, program, row.get("license", "GPL"), log_level=int("log" in row))
    said = Expectation(errno, log=row.get("log"))
    return Clause(
        row["id"],
        row["sentence"],
        (*maps, expect(load, said, later)),
        until=row.get("until"),
        source=row.get("source", ""),
    )
