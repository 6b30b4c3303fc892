# SPDX-License-Identifier: MIT
"""Functions of a program's own, their types, and what ends them early: a tail call, and a load from the packet."""

from __future__ import annotations

from dataclasses import replace

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import PACKET, hits_are
from harness.clauses.program_array.parts import ARRAY, FILTER, OTHER, put
from harness.core_scripts.parts import array, element
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    B,
    Function,
    Helper,
    Piece,
    add64_imm,
    call,
    call_local,
    exit_,
    jeq_imm,
    jge_imm,
    ld_abs,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    stx,
)
from harness.script.clause import NOTHING, Clause, Step, expect
from harness.script.needs import Need
from harness.script.operations import LoadProgram, Operation, Program, ProgramType, RunSocketFilter

RUNS = 34
"""A run, and the 33 tail calls after it."""
ENOUGH = 100
"""Where the program that counts itself stops, so that a kernel with a wrong limit comes to an end."""
BEHIND = len(PACKET)
FELL, ENDED, RESULT = 8, 7, 5
MIXING = frozenset({Need.MIXING_JIT})
_TAIL_CALL = (ld_map(R2, "programs"), mov64_imm(R3, 0), call(Helper.TAIL_CALL))
"""Expects the context in R1."""


def _load(code: Program, name: str = "filter") -> LoadProgram:
    return LoadProgram(name, ProgramType.SOCKET_FILTER, code)


def _code(*main: Piece, function: Piece) -> Program:
    """A program with one function, which has the context in R1 and R6; main has it in R6."""
    inner = (Function("function"), mov64_reg(R6, R1), function, exit_())
    return program(Function("main"), mov64_reg(R6, R1), main, exit_(), inner)


def _compared(*early: Piece) -> Program:
    """A function returns 1 unless `early` ends it; the verdict says which."""
    return _code(
        (call_local("function"), jeq_imm(R0, 1, "fell"), mov64_imm(R0, ENDED), exit_()),
        ("fell", mov64_imm(R0, FELL)),
        function=(early, mov64_imm(R0, 1)),
    )


def _counting() -> Program:
    """A program that counts its runs and calls twice a function that tail-calls it."""
    count = (element("hits"), ldx(DW, R1, R0, 0), jge_imm(R1, ENOUGH, "out"), add64_imm(R1, 1), stx(DW, R0, 0, R1))
    again = (mov64_reg(R1, R6), call_local("function"))
    return _code(count, again, again, "out", mov64_imm(R0, 9), function=(_TAIL_CALL, mov64_imm(R0, 0)))


def _arrives(length: int) -> Step:
    return expect(RunSocketFilter(FILTER, PACKET), length)


def _clause(
    id: str,
    sentence: str,
    *steps: Operation | Step,
    needs: frozenset[Need] = NOTHING,
    since: str = "5.10",
    until: str | None = None,
) -> Clause:
    return Clause(f"FUNC-{id}", sentence, steps, needs, since, until)


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    """Returns the clauses of this section."""
    plain = _code(call_local("function"), function=mov64_imm(R0, RESULT))
    tail = _code(call_local("function"), function=(_TAIL_CALL, mov64_imm(R0, 9)))
    packet = _code(call_local("function"), function=(ld_abs(B, BEHIND), mov64_imm(R0, 9)))
    (first, main), (second, function) = plain.functions
    other = _load(program(mov64_imm(R0, RESULT), exit_()), "other")
    return (
        _clause("01.types", "A program loads with the types of its functions", _load(plain), _arrives(RESULT)),
        *(
            _clause(f"01.{id}", sentence, ARRAY, expect(_load(code), "EINVAL"))
            for id, sentence, code in (
                (
                    "tail-call",
                    "A program with a function that makes a tail call gives EINVAL without types",
                    replace(tail, functions=()),
                ),
                (
                    "packet",
                    "A program with a function that reads the packet gives EINVAL without types",
                    replace(packet, functions=()),
                ),
                (
                    "count",
                    "Types of fewer functions than a program has give EINVAL",
                    replace(plain, functions=((first, main),)),
                ),
                (
                    "place",
                    "Types of a function that begins elsewhere give EINVAL",
                    replace(plain, functions=((first, main), (second + 1, function))),
                ),
            )
        ),
        _clause(
            "01.baseline",
            "Loading a program with types of its functions gives EINVAL in 4.1, which does not know of types",
            expect(_load(replace(program(mov64_imm(R0, 0), exit_()), functions=((0, "main"),))), "EINVAL"),
            since="4.1",
            until="4.1",
        ),
        _clause(
            "02",
            "A program with functions that makes a tail call gives EINVAL in the interpreter",
            ARRAY,
            expect(_load(tail), "EINVAL"),
            needs=frozenset({Need.INTERPRETER}),
        ),
        _clause(
            "10",
            "A tail call of a function ends it with the result of the other program",
            *(ARRAY, other, _load(tail), put(OTHER), _arrives(RESULT)),
            needs=MIXING,
        ),
        _clause(
            "10.compared",
            "The caller of a function that a tail call ended goes on with the result of the other program, whatever"
            " the function returns otherwise",
            *(ARRAY, other, _load(_compared(_TAIL_CALL)), put(OTHER), _arrives(ENDED)),
            needs=MIXING,
        ),
        _clause(
            "11",
            f"A program whose functions tail-call it runs {RUNS} times, however many functions do",
            *(ARRAY, array("hits"), _load(_counting()), put(FILTER), _arrives(9), hits_are(RUNS)),
            needs=MIXING,
        ),
        _clause("12", "A load from behind the packet ends a function with 0", _load(packet), _arrives(0)),
        _clause(
            "12.compared",
            "The caller of a function that a load from behind the packet ended goes on with 0, whatever the function"
            " returns otherwise",
            _load(_compared(ld_abs(B, BEHIND))),
            _arrives(ENDED),
        ),
    )
