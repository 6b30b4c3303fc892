# SPDX-License-Identifier: MIT
"""bpf_tail_call(): the verifier's checks, and its effect."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import PACKET, hits_are
from harness.clauses.program_array.parts import ARRAY, FILTER, OTHER, PROGRAMS, clause, put, returns, tail_call
from harness.core_scripts.parts import array, count_hits, element, on_our_prctl, prctl, probed, u32
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    ld_imm64,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    xadd,
)
from harness.script.clause import KPROBES, Clause, Step, expect
from harness.script.needs import Need
from harness.script.operations import (
    Close,
    DeleteElement,
    LoadProgram,
    ProgramType,
    Ref,
    RunSocketFilter,
)

MOST = 33
"""MAX_TAIL_CALL_CNT."""
EMPTY, BEYOND = 1, 4
"""Indices without a program: an empty slot, and one behind the last slot."""


def _filter(*body: Piece, name: str = "filter") -> LoadProgram:
    """Loads a socket filter with the context in R6; `body` sets R0."""
    return LoadProgram(name, ProgramType.SOCKET_FILTER, program(mov64_reg(R6, R1), body, exit_()))


def _arrives(length: int) -> Step:
    return expect(RunSocketFilter(FILTER, PACKET), length)


def verifier_clauses() -> tuple[Clause, ...]:
    key = (st(W, R10, -4, 0), mov64_reg(R2, R10), add64_imm(R2, -4))
    value = (mov64_reg(R3, R2), mov64_imm(R4, 0))
    refused: tuple[tuple[str, str, str, Piece], ...] = (
        (
            "30.lookup",
            "A program that calls bpf_map_lookup_elem on a PROG_ARRAY gives EINVAL",
            "EINVAL",
            (key, ld_map(R1, "programs"), call(1)),
        ),
        (
            "30.update",
            "A program that calls bpf_map_update_elem on a PROG_ARRAY gives EINVAL",
            "EINVAL",
            (key, value, ld_map(R1, "programs"), call(2)),
        ),
        (
            "30.delete",
            "A program that calls bpf_map_delete_elem on a PROG_ARRAY gives EINVAL",
            "EINVAL",
            (key, ld_map(R1, "programs"), call(3)),
        ),
        (
            "31.map",
            "A program whose tail call takes a map of another type gives EINVAL",
            "EINVAL",
            (mov64_reg(R1, R6), ld_map(R2, "hits"), mov64_imm(R3, 0), call(Helper.TAIL_CALL)),
        ),
        (
            "31.context",
            "A program whose tail call does not hand on the context gives EACCES",
            "EACCES",
            (mov64_reg(R1, R10), ld_map(R2, "programs"), mov64_imm(R3, 0), call(Helper.TAIL_CALL)),
        ),
        (
            "31.index",
            "A program whose tail call has no index in R3 gives EACCES",
            "EACCES",
            (mov64_reg(R1, R6), ld_map(R2, "programs"), call(12)),
        ),
    )
    return (
        *(
            clause(f"TAIL-{id}", sentence, ARRAY, array("hits"), expect(_filter(body, returns(0)), errno))
            for id, sentence, errno, body in refused
        ),
        clause(
            "TAIL-32",
            "A program that uses R0 after its tail call, which leaves nothing there, gives EACCES",
            ARRAY,
            expect(_filter(tail_call()), "EACCES"),
        ),
        clause(
            "TAIL-33",
            "A program that calls bpf_tail_call gives EINVAL in 4.1, which does not have the helper",
            expect(_filter(mov64_imm(R2, 0), mov64_imm(R3, 0), call(Helper.TAIL_CALL), returns(0)), "EINVAL"),
            since="4.1",
            until="4.1",
        ),
    )


def runs_clauses() -> tuple[Clause, ...]:
    other = _filter(returns(5), name="other")
    calls = _filter(tail_call(), returns(9))
    return (
        clause(
            "TAIL-40",
            "A tail call goes on in the other program, whose result is that of the run",
            ARRAY,
            other,
            calls,
            put(OTHER),
            _arrives(5),
        ),
        clause(
            "TAIL-41.empty",
            "A tail call into an empty slot does nothing, and the program goes on behind it",
            ARRAY,
            calls,
            _arrives(9),
        ),
        clause(
            "TAIL-41.beyond",
            "A tail call behind the last slot does nothing, and the program goes on behind it",
            *(ARRAY, other, _filter(tail_call(BEYOND), returns(9)), put(OTHER)),
            _arrives(9),
        ),
        clause(
            "TAIL-42",
            "A tail call takes the low 32 bits of R3 as index",
            *(ARRAY, other),
            _filter(
                *(mov64_reg(R1, R6), ld_map(R2, "programs"), ld_imm64(R3, 1 << 32), call(Helper.TAIL_CALL), returns(9))
            ),
            put(OTHER),
            _arrives(5),
        ),
        clause(
            "TAIL-43",
            "A tail call goes to the program that is in the slot when the call is made",
            *(ARRAY, other, _filter(returns(7), name="third"), calls, _arrives(9)),
            *(put(OTHER), _arrives(5), put(Ref("third")), _arrives(7)),
            *(expect(DeleteElement(PROGRAMS, u32(0)), 0), _arrives(9)),
        ),
        clause(
            "TAIL-44",
            "A slot of a PROG_ARRAY keeps its program when the program's descriptor is closed",
            ARRAY,
            other,
            calls,
            put(OTHER),
            Close(OTHER),
            _arrives(5),
        ),
        clause(
            "TAIL-45",
            "A tail call that does nothing keeps the registers from R6 on",
            *(ARRAY, _filter(mov64_imm(R7, 6), tail_call(), mov64_reg(R0, R7))),
            _arrives(6),
        ),
        clause(
            "TAIL-46",
            f"A run makes {MOST} tail calls; the next one does nothing, and the program goes on behind it",
            *(ARRAY, array("hits"), _filter(count_hits(), tail_call(), returns(9))),
            *(put(FILTER), _arrives(9), hits_are(1 + MOST)),
        ),
        clause(
            "TAIL-46.beyond",
            "Tail calls behind the last slot do not count against the limit of 33",
            *(ARRAY, array("hits"), _filter(count_hits(), tail_call(BEYOND), tail_call(), returns(9))),
            *(put(FILTER), _arrives(9), hits_are(1 + MOST)),
        ),
        *(
            clause(
                f"TAIL-47.{engine}",
                f"Tail calls into empty slots count against the limit of {MOST} in {where}",
                *(ARRAY, array("hits"), _filter(count_hits(), tail_call(EMPTY), tail_call(), returns(9))),
                *(put(FILTER), _arrives(9), hits_are(1 + MOST // 2, later)),
                needs=frozenset({need}),
            )
            for engine, where, need, later in (
                ("interp", "the interpreter before 7.2", Need.INTERPRETER, {"7.2": 1 + MOST}),
                ("jit", "the JIT before 6.12", Need.LOOKING_JIT, {"6.12": 1 + MOST}),
                ("counting-jit", "a JIT that looks into the slot last, as riscv64's does", Need.COUNTING_JIT, {}),
            )
        ),
    )


def kprobes_clauses(registers: PtRegs) -> tuple[Clause, ...]:
    argument = ldx(DW, R7, R6, registers.argument(1))
    callee = program(mov64_reg(R6, R1), argument, element("hits"), xadd(DW, R0, 0, R7), mov64_imm(R0, 0), exit_())
    caller = on_our_prctl(registers, tail_call(), returns(1))
    return (
        clause(
            "TAIL-50",
            "A program on a probe goes on with another one by a tail call, which sees the same context",
            *(ARRAY, array("hits"), *probed(caller), LoadProgram("other", ProgramType.KPROBE, callee)),
            *(put(OTHER), prctl(7, times=3), hits_are(21)),
            needs=KPROBES,
        ),
    )
