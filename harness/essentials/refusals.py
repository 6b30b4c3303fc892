"""Programs that cannot be loaded: the verifier's word, and the checks before it."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.essentials.attaching import NOTHING
from harness.essentials.parts import array
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


def scripts(registers: PtRegs) -> tuple[Script, ...]:
    beyond = program(ldx(DW, R0, R1, registers.size), exit_())
    below = program(st(DW, R10, -520, 0), mov64_imm(R0, 0), exit_())
    return (
        Script(
            "verifier",
            "programs the verifier must refuse, each for one reason",
            (
                array("map"),
                _load("uninitialised", UNINITIALISED),
                _load("no exit", NO_EXIT),
                _load("unchecked", UNCHECKED),
                _load("beyond the context", beyond),
                _load("below the stack", below),
                _load("unknown helper", program(call(100000), exit_())),
                _load("empty", Program(())),
                _load("accepted", NOTHING),
            ),
        ),
        Script(
            "kernel-version",
            "kern_version must match where the era says so",
            (
                LoadProgram("program", ProgramType.KPROBE, NOTHING, kern_version=0),
                LoadProgram("filter", ProgramType.SOCKET_FILTER, NOTHING, kern_version=0),
            ),
        ),
        Script(
            "licence",
            "a program without a GPL-compatible licence may not call what is for the GPL only",
            (
                LoadProgram("free", ProgramType.KPROBE, FOR_GPL_ONLY, license="GPL"),
                LoadProgram("proprietary", ProgramType.KPROBE, FOR_GPL_ONLY, license="Proprietary"),
                LoadProgram("harmless", ProgramType.KPROBE, NOTHING, license="Proprietary"),
            ),
        ),
        Script(
            "unknown-symbol",
            "a probe on a function that does not exist",
            (CreateKprobe("probe", "there_is_no_such_function"),),
        ),
    )


def _load(name: str, code: Program) -> LoadProgram:
    return LoadProgram(name, ProgramType.KPROBE, code)
