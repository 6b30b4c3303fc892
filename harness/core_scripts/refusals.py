# SPDX-License-Identifier: MIT
"""Programs that cannot be loaded: refusals of the verifier, and of the checks before it."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.attaching import NOTHING
from harness.core_scripts.parts import array
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R10,
    Helper,
    W,
    add64_imm,
    call,
    exit_,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.script.clause import NOTHING as NO_NEEDS
from harness.script.clause import WORKS, Clause, expect
from harness.script.operations import CreateKprobe, LoadProgram, Program, ProgramType, Script

UNINITIALISED = program(mov64_reg(R0, R2), exit_())
NO_EXIT = program(mov64_imm(R0, 0))
UNCHECKED = program(
    st(W, R10, -4, 0),
    mov64_reg(R2, R10),
    add64_imm(R2, -4),
    ld_map(R1, "map"),
    call(Helper.MAP_LOOKUP_ELEM),
    ldx(DW, R0, R0, 0),
    exit_(),
)
FOR_GPL_ONLY = program(
    st(DW, R10, -8, 0),
    mov64_reg(R1, R10),
    add64_imm(R1, -8),
    mov64_imm(R2, 8),
    mov64_imm(R3, 0),
    call(Helper.PROBE_READ),
    mov64_imm(R0, 0),
    exit_(),
)


def scripts(registers: PtRegs) -> tuple[Script | Clause, ...]:
    beyond = program(ldx(DW, R0, R1, registers.size), exit_())
    below = program(st(DW, R10, -520, 0), mov64_imm(R0, 0), exit_())
    return (
        Clause(
            "verifier",
            "programs the verifier must refuse, each for one reason",
            (
                array("map"),
                expect(_load("uninitialised", UNINITIALISED), "EACCES"),
                expect(_load("no exit", NO_EXIT), "EINVAL"),
                expect(_load("unchecked", UNCHECKED), "EACCES", {"7.2": WORKS}),
                expect(_load("beyond the context", beyond), "EACCES"),
                expect(_load("below the stack", below), "EACCES"),
                expect(_load("unknown helper", program(call(100000), exit_())), "EINVAL"),
                expect(_load("empty", Program(())), "E2BIG"),
                _load("accepted", NOTHING),
            ),
            NO_NEEDS,
        ),
        Clause(
            "kernel-version",
            "kern_version must match where the era says so",
            (
                expect(LoadProgram("program", ProgramType.KPROBE, NOTHING, kern_version=0), "EINVAL", {"5.10": WORKS}),
                LoadProgram("filter", ProgramType.SOCKET_FILTER, NOTHING, kern_version=0),
            ),
            NO_NEEDS,
        ),
        Clause(
            "licence",
            "a program without a GPL-compatible licence may not call what is for the GPL only",
            (
                LoadProgram("free", ProgramType.KPROBE, FOR_GPL_ONLY, license="GPL"),
                expect(LoadProgram("proprietary", ProgramType.KPROBE, FOR_GPL_ONLY, license="Proprietary"), "EINVAL"),
                LoadProgram("harmless", ProgramType.KPROBE, NOTHING, license="Proprietary"),
            ),
            NO_NEEDS,
        ),
        Clause(
            "unknown-symbol",
            "a probe on a function that does not exist",
            (expect(CreateKprobe("probe", "there_is_no_such_function"), "ENOENT", {"6.12": "EINVAL"}),),
            NO_NEEDS,
        ),
    )


def _load(name: str, code: Program) -> LoadProgram:
    return LoadProgram(name, ProgramType.KPROBE, code)
