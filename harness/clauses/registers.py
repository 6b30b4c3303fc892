# SPDX-License-Identifier: MIT
"""The context: the contents of `struct pt_regs` at an entry and at a return, and how programs may access it."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import holds
from harness.core_scripts.parts import MAGIC, array, element, on_our_prctl, prctl, probed
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R6,
    R7,
    B,
    H,
    Piece,
    W,
    exit_,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    rsh64_imm,
    st,
    stx,
    xadd,
)
from harness.isa.opcodes import Size
from harness.script.clause import WORKS, Clause, Said, Step, expect
from harness.script.expectation import Expectation
from harness.script.operations import LoadProgram, Operation, Program, ProgramType, Trigger
from harness.script.triggers import UNKNOWN_PRCTL

ARGUMENTS = (UNKNOWN_PRCTL, MAGIC, (1 << 64) - 1, 1 << 63, 0x0102_0304_0506_0708)
PASSED_WHOLE = range(1, 5)
"""The arguments of prctl that reach the probed function with all 64 bits."""


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return (
        *(_argument(registers, number) for number in PASSED_WHOLE),
        Clause(
            f"REG-01.{registers.arguments[0]}",
            f"The first argument of a function is in {registers.arguments[0]}; of 32 bits, in its low half",
            (*_storing(registers, ldx(W, R7, R6, registers.argument(0))), prctl(*ARGUMENTS[1:]), _holds(UNKNOWN_PRCTL)),
        ),
        *(_lseek(registers, number, value) for number, value in enumerate((-1, 0, 1 << 62, MAGIC))),
        *(
            Clause(
                f"REG-06.{size.type}.{offset}",
                f"A {size.type} load at byte {offset} of a register in the context reads that part of it, "
                "zero-extended",
                (
                    *_storing(registers, ldx(size, R7, R6, registers.argument(1) + offset)),
                    prctl(MAGIC),
                    _holds(MAGIC >> 8 * offset & ((1 << 8 * size.nbytes) - 1)),
                ),
            )
            for size in (B, H, W)
            for offset in range(0, 8, size.nbytes)
        ),
        *(_readable(name, offset) for name, offset in registers.offsets.items()),
        *(_refused(*row) for row in _outside(registers)),
        *(_written(*row) for row in _stores(registers)),
        Clause(
            "REG-03",
            "The stack pointer in the context of an entry probe is a kernel address",
            (*_storing(registers, _top_bit(registers.offsets[registers.sp])), prctl(), _holds(1)),
        ),
        Clause(
            "REG-02",
            "The program counter in the context of an entry probe is a kernel address",
            (*_storing(registers, _top_bit(registers.offsets[registers.ip])), prctl(), _holds(1)),
        ),
        *(_returned(registers, *row) for row in _RETURNS),
    )


def _argument(registers: PtRegs, number: int) -> Clause:
    return Clause(
        f"REG-01.{registers.arguments[number]}",
        f"Argument {number + 1} of a function is in {registers.arguments[number]}, with all 64 bits",
        (
            *_storing(registers, ldx(DW, R7, R6, registers.argument(number))),
            prctl(*ARGUMENTS[1:]),
            _holds(ARGUMENTS[number]),
        ),
    )


def _lseek(registers: PtRegs, number: int, offset: int) -> Clause:
    """Makes a clause about lseek. The offset is a signed number; every caller of the probed function is an lseek of
    /dev/null."""
    shown, offset = f"{offset:#x}", offset & (1 << 64) - 1
    code = program(mov64_reg(R6, R1), ldx(DW, R7, R6, registers.argument(1)), *_keep(), exit_())
    return Clause(
        f"REG-01.lseek-{number}",
        f"A signed argument of 64 bits keeps all its bits: {shown}",
        (array("seen"), *probed(code, symbol="null_lseek"), Trigger("null_lseek", (offset, 0)), _holds(offset)),
    )


_RETURNS: tuple[tuple[str, Trigger, int, Size], ...] = (
    ("prctl", prctl(), (1 << 32) - 38, W),
    ("write", Trigger("write_null", (0, 12345)), 12345, DW),
    ("read", Trigger("read_null", (0, 12345)), 0, DW),
    ("lseek", Trigger("null_lseek", (5, 0)), 0, DW),
)


def _returned(registers: PtRegs, name: str, fire: Trigger, value: int, size: Size) -> Clause:
    load = ldx(size, R7, R6, registers.offsets[registers.returns])
    code = program(mov64_reg(R6, R1), load, *_keep(), exit_())
    return Clause(
        f"RUN-55.{name}",
        f"The context of a return probe has what the function returned in the register of results: that of {name}",
        (array("seen"), *probed(code, symbol=fire.trigger, returns=True), fire, _holds(value)),
    )


def _readable(name: str, offset: int) -> Clause:
    code = program(ldx(DW, R7, R1, offset), mov64_imm(R0, 0), exit_())
    return Clause(f"MEM-05.{name}", f"A program may read {name} from its context", (expect(_load(code), WORKS),))


def _outside(registers: PtRegs) -> tuple[tuple[str, str, Piece, str, Said], ...]:
    bad = "invalid bpf_context access off={} size={}"
    end = registers.size
    return (
        ("REG-07", "8 bytes behind the end of its context", ldx(DW, R7, R1, end), bad.format(end, 8), "EACCES"),
        ("MEM-06.byte", "1 byte behind the end of its context", ldx(B, R7, R1, end), bad.format(end, 1), "EACCES"),
        ("MEM-06.below", "below its context", ldx(DW, R7, R1, -8), bad.format(-8, 8), "EACCES"),
        ("MEM-06.far", "far behind its context", ldx(DW, R7, R1, 32760), bad.format(32760, 8), "EACCES"),
        (
            "MEM-01.context",
            "8 bytes of its context at an offset of 4",
            ldx(DW, R7, R1, 4),
            "misaligned access off 4 size 8",
            "EACCES",
        ),
        (
            "MEM-01.half",
            "2 bytes of its context at an offset of 1",
            ldx(H, R7, R1, 1),
            "misaligned access off 1 size 2",
            "EACCES",
        ),
    )


def _refused(id: str, what: str, load: Piece, message: str, later: Said) -> Clause:
    code = program(load, mov64_imm(R0, 0), exit_())
    return Clause(
        id,
        f"A program that reads {what} gives EACCES",
        (expect(_load(code), Expectation("EACCES", log=message), {"5.10": later}),),
    )


def _stores(registers: PtRegs) -> tuple[tuple[str, str, Piece, str], ...]:
    offset = registers.argument(0)
    return (
        (
            "MEM-07.st",
            "stores a constant into its context",
            st(DW, R1, offset, 0),
            f"invalid bpf_context access off={offset} size=8",
        ),
        (
            "MEM-07.stx",
            "stores a register into its context",
            stx(DW, R1, offset, R1),
            f"invalid bpf_context access off={offset} size=8",
        ),
        (
            "MEM-07.byte",
            "stores a byte into its context",
            st(B, R1, offset, 0),
            f"invalid bpf_context access off={offset} size=1",
        ),
        (
            "MEM-07.xadd",
            "adds atomically to its context",
            (mov64_imm(R7, 1), xadd(DW, R1, offset, R7)),
            f"invalid bpf_context access off={offset} size=8",
        ),
    )


def _written(id: str, what: str, store: Piece, message: str) -> Clause:
    code = program(store, mov64_imm(R0, 0), exit_())
    later: dict[str, Said] = {"5.10": "EACCES", "7.2": "EACCES" if id == "MEM-07.xadd" else WORKS}
    return Clause(
        id,
        f"A program that {what} gives EACCES" + ("" if id == "MEM-07.xadd" else "; 7.2 loads it"),
        (expect(_load(code), Expectation("EACCES", log=message), later),),
    )


def _load(code: Program) -> LoadProgram:
    return LoadProgram("program", ProgramType.KPROBE, code, log_level=1)


def _storing(registers: PtRegs, piece: Piece) -> tuple[Operation, ...]:
    """Attaches a program that stores R7 in "seen" for the script's own prctl; `piece` finds the context in R6."""
    return array("seen"), *probed(on_our_prctl(registers, piece, *_keep()))


def _keep() -> tuple[Piece, ...]:
    return element("seen"), stx(DW, R0, 0, R7), mov64_imm(R0, 0)


def _top_bit(offset: int) -> tuple[Piece, ...]:
    return ldx(DW, R7, R6, offset), rsh64_imm(R7, 63)


def _holds(value: int) -> Step:
    return holds("seen", value)
