# SPDX-License-Identifier: MIT
"""Programs of type TRACEPOINT (since 4.7): what they may read, which events take them, and what they see there."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROGRAM, accepted, holds, keep, opened
from harness.core_scripts.parts import MAGIC, array, prctl
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R6,
    R7,
    R8,
    H,
    Helper,
    Piece,
    W,
    call,
    exit_,
    jeq_imm,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    stx,
)
from harness.isa.opcodes import Size
from harness.script.clause import WORKS, Clause, Said, Step, expect
from harness.script.operations import Attach, FindTracepoint, LoadProgram, OpenEvent, Operation, ProgramType, Ref
from harness.script.triggers import UNKNOWN_PRCTL

TYPE = ProgramType.TRACEPOINT
SWITCH, ENTER, EXIT = "sched/sched_switch", "raw_syscalls/sys_enter", "raw_syscalls/sys_exit"
ARGUMENTS = 16
"""Where the six arguments are in the record of sys_enter, behind the number of the call."""
RECORD = "kernel/trace/bpf_trace.c: tp_prog_is_valid_access()"
HELPERS = "kernel/trace/bpf_trace.c: tp_prog_func_proto()"


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return *_loading(), *_attaching(), *_seeing()


def _loading() -> tuple[Clause, ...]:
    def loads(*pieces: Piece, said: Said = WORKS, later: dict[str, Said] | None = None) -> Step:
        return expect(LoadProgram("program", TYPE, program(*pieces, mov64_imm(R0, 0), exit_())), said, later or {})

    def reads(size: Size, offset: int, said: Said = WORKS, later: dict[str, Said] | None = None) -> tuple[Step, ...]:
        return (loads(ldx(size, R0, R1, offset), said=said, later=later),)

    rows: tuple[tuple[str, str, tuple[Step, ...], str], ...] = (
        ("01.first", "reads the field behind the first eight bytes of its context is loaded", reads(DW, 8), RECORD),
        (
            "01.pointer",
            "reads the first eight bytes of its context is refused with EACCES",
            reads(DW, 0, "EACCES"),
            RECORD,
        ),
        (
            "01.misaligned",
            "reads two bytes at an odd offset of its context is refused with EACCES",
            reads(H, 9, "EACCES"),
            RECORD,
        ),
        (
            "01.write",
            "writes its context is refused with EACCES",
            (loads(mov64_imm(R0, 0), stx(DW, R1, 8, R0), said="EACCES"),),
            RECORD,
        ),
        ("01.last", "reads eight bytes at offset 8184 of its context is loaded", reads(DW, 8184), RECORD),
        (
            "01.end",
            "reads eight bytes at offset 8192 of its context is refused with EACCES",
            reads(DW, 8192, "EACCES"),
            RECORD,
        ),
        ("02.task", "calls bpf_get_current_pid_tgid is loaded", (loads(call(Helper.GET_CURRENT_PID_TGID)),), HELPERS),
        (
            "02.override",
            "calls bpf_override_return (58), which is for programs on kprobes, is refused with EINVAL",
            (loads(mov64_imm(6, 0), call(58), said="EINVAL"),),
            HELPERS,
        ),
    )
    return tuple(
        Clause(f"STP-{id}", f"A program of type TRACEPOINT that {what}", steps, since="5.10", source=source)
        for id, what, steps, source in rows
    )


def _attaching() -> tuple[Clause, ...]:
    whole = program(ldx(DW, R0, R1, 56), mov64_imm(R0, 0), exit_())

    def event(tracepoint: str) -> tuple[Operation | Step, ...]:
        return expect(FindTracepoint("point", tracepoint), WORKS), OpenEvent("event", Ref("point"))

    def bounded(id: str, where: str, last: int, tracepoint: str, said: Said) -> Clause:
        code = program(ldx(DW, R0, R1, last), mov64_imm(R0, 0), exit_())
        attached = expect(Attach(EVENT, PROGRAM), said)
        what = "is attached" if said == 0 else "is not attached (EACCES)"
        sentence = f"A program of type TRACEPOINT that reads {where} of {tracepoint.split('/')[1]} {what}"
        return Clause(id, sentence, (LoadProgram("program", TYPE, code), *event(tracepoint), attached), since="5.10")

    return (
        Clause(
            "STP-03",
            "A program of type TRACEPOINT is attached to the event of a static tracepoint, a second time with EEXIST",
            (
                accepted("program", TYPE),
                *event(SWITCH),
                expect(Attach(EVENT, PROGRAM), 0),
                expect(Attach(EVENT, PROGRAM), "EEXIST"),
            ),
            since="5.10",
        ),
        *(
            Clause(
                f"STP-03.{type.name.lower()}",
                f"A program of type {type.name} on the event of a static tracepoint gives EINVAL",
                (accepted("program", type), *event(SWITCH), expect(Attach(EVENT, PROGRAM), "EINVAL")),
            )
            for type in (ProgramType.KPROBE, ProgramType.SOCKET_FILTER)
        ),
        Clause(
            "STP-04",
            "A program of type TRACEPOINT on the event of a kprobe gives EINVAL, whatever it reads",
            (LoadProgram("program", TYPE, whole), *opened(), expect(Attach(EVENT, PROGRAM), "EINVAL")),
            since="5.10",
        ),
        bounded("STP-05.enter", "the last argument", 56, ENTER, 0),
        bounded("STP-05.enter-end", "beyond the last argument", 64, ENTER, "EACCES"),
        bounded("STP-05.exit", "the returned value", 16, EXIT, 0),
        bounded("STP-05.exit-end", "beyond the returned value", 24, EXIT, "EACCES"),
        Clause(
            "STP-05.first",
            "A program of type TRACEPOINT that reads beyond the record gives EACCES also where it is attached already",
            (
                accepted("program", TYPE),
                LoadProgram("long", TYPE, program(ldx(DW, R0, R1, 64), mov64_imm(R0, 0), exit_())),
                *event(ENTER),
                expect(Attach(EVENT, PROGRAM), 0),
                expect(Attach(EVENT, Ref("long")), "EACCES"),
            ),
            since="5.10",
        ),
    )


def _seeing() -> tuple[Clause, ...]:
    ours = program(
        mov64_reg(R6, R1),
        ldx(DW, R7, R6, ARGUMENTS + 8),
        ldx(W, R8, R6, ARGUMENTS + 32),
        ldx(DW, R0, R6, ARGUMENTS),
        jeq_imm(R0, UNKNOWN_PRCTL, "ours"),
        mov64_imm(R0, 0),
        exit_(),
        "ours",
        keep(R7, 0),
        keep(R8, 1),
        mov64_imm(R0, 0),
        exit_(),
    )
    return (
        Clause(
            "STP-06",
            "A program on raw_syscalls/sys_enter reads the arguments of the system call from its context",
            (
                array("seen", 2),
                expect(LoadProgram("program", TYPE, ours), WORKS),
                FindTracepoint("point", ENTER),
                OpenEvent("event", Ref("point")),
                expect(Attach(EVENT, PROGRAM), 0),
                prctl(MAGIC, 1, 2, MAGIC),
                holds("seen", MAGIC, key=0),
                holds("seen", MAGIC & 0xFFFF_FFFF, key=1),
            ),
            since="5.10",
            source="include/trace/events/syscalls.h: sys_enter",
        ),
    )
