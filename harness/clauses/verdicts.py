# SPDX-License-Identifier: MIT
"""The shape of most clauses about the verifier: a program, and whether it loads."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.clauses.parts import MAP
from harness.core_scripts.parts import array
from harness.isa.assemble import DW, R1, R2, R10, Helper, Piece, add64_imm, call, ld_map, mov64_reg, program, st
from harness.script.clause import KPROBES, WORKS, Clause, Said, expect
from harness.script.expectation import Expectation
from harness.script.needs import Need
from harness.script.operations import LoadProgram, ProgramType
from harness.script.outcome import ANY, Outcome

NO_ROWS: Mapping[str, Said] = MappingProxyType({})

LOOKUP: tuple[Piece, ...] = (
    st(DW, R10, -8, 0),
    mov64_reg(R2, R10),
    add64_imm(R2, -8),
    ld_map(R1, MAP.name),
    call(Helper.MAP_LOOKUP_ELEM),
)
"""A lookup, after which R0 is a value of "map", or null."""


def loads(id: str, sentence: str, *pieces: Piece, later: Mapping[str, Said] = NO_ROWS, **facts: object) -> Clause:
    """Makes a clause: the program is accepted in 4.1, and in later kernels unless `later` says otherwise."""
    return _clause(id, sentence, pieces, WORKS, later, **facts)  # type: ignore[arg-type]


def refused(
    id: str,
    sentence: str,
    errno: str,
    message: str,
    *pieces: Piece,
    later: Mapping[str, Said] = NO_ROWS,
    **facts: object,
) -> Clause:
    """Makes a clause: 4.1 refuses the program with `message` in its log, if it is not empty; later kernels with the
    same errno, unless `later` says otherwise. Their messages differ from release to release."""
    rows: dict[str, Said] = {"5.10": errno, **later}
    return _clause(id, sentence, pieces, Expectation(errno, log=message or None), rows, **facts)  # type: ignore[arg-type]


def _clause(
    id: str,
    sentence: str,
    pieces: tuple[Piece, ...],
    said: Said,
    later: Mapping[str, Said],
    *,
    type: ProgramType = ProgramType.KPROBE,
    license: str = "GPL",
    until: str | None = None,
    needs: frozenset[Need] = KPROBES,
) -> Clause:
    code = program(*pieces)
    made = (array(MAP.name),) if code.maps else ()
    # Where no message is held against the log, there is none: of some opcodes 4.1 prints whatever lies in memory.
    wants_log = isinstance(said, Outcome) and said.log is not ANY
    load = LoadProgram("program", type, code, license, log_level=int(wants_log))
    return Clause(id, sentence, (*made, expect(load, said, later)), needs, until=until)
