# SPDX-License-Identifier: MIT
"""Programs with opcodes newer than 4.1's, and what is said of them by releases that have the opcode."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R10,
    Atomic,
    B,
    Piece,
    W,
    add64_imm,
    arsh32_imm,
    arsh32_reg,
    atomic,
    bswap,
    call,
    call_local,
    exit_,
    gotol,
    jeq32_imm,
    jeq32_reg,
    jeq_imm,
    jlt32_imm,
    jlt_imm,
    jlt_reg,
    jsle_imm,
    ld_map_fd,
    ldx,
    ldxsx,
    mov64_imm,
    mov64_reg,
    movsx32_16,
    movsx64_8,
    movsx64_32,
    program,
    sdiv32_reg,
    sdiv64_reg,
    smod64_reg,
    st,
    stx,
)
from harness.isa.instruction import Instruction
from harness.isa.table import ARSH32, ATOMICS, COMPARE_32, CPU_V4, ORDERED, OWN_CALLS, UNSIGNED_LESS
from harness.release import Release
from tests.harness.model.verifier.lanes import ARRAY

OPEN = "nothing"
"""Not predicted."""
FETCH_ADD = Atomic.ADD | Atomic.FETCH
START = (mov64_imm(R0, 0), mov64_imm(R2, 1), st(DW, R10, -8, 0))
LOOKUP = (
    st(DW, R10, -8, 0),
    (mov64_reg(R6, R1), mov64_reg(R2, R10), add64_imm(R2, -8), ld_map_fd(R1, ARRAY), call(1)),
    (jeq_imm(R0, 0, "out"), mov64_imm(R2, 1)),
)
OUT = ("out", mov64_imm(R0, 0), exit_())
F = ("f", mov64_reg(R0, R1), mov64_imm(R0, 1), exit_())
ACQUIRE, RELEASE = Atomic.LOAD_ACQUIRE, Atomic.STORE_RELEASE


@dataclass(frozen=True)
class Newer:
    """`said` is the errno, None for an accepted program, or OPEN. Before release `open_before` it may be OPEN, too."""

    name: str
    since: Release
    said: str | None
    pieces: tuple[Piece, ...]
    kind: str = "kprobe"
    open_before: Release = (0, 0)

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return program(*self.pieces).instructions


def row(name: str, since: Release, said: str | None, *pieces: Piece, kind: str = "kprobe") -> Newer:
    return Newer(name, since, said, (*START, *pieces, *(() if "out" in pieces else OUT)), kind)


def shown(one: Newer) -> Newer:
    """A program of which it is shown that verifiers since 5.10 accept it, and of earlier ones nothing is known."""
    return replace(one, open_before=(5, 10))


def on_map(name: str, since: Release, said: str | None, *pieces: Piece) -> Newer:
    return Newer(name, since, said, (*LOOKUP, *pieces, *OUT))


PROGRAMS = (
    row("less", UNSIGNED_LESS, None, jlt_imm(R2, 5, "out")),
    row("less, of pointers", UNSIGNED_LESS, None, jlt_reg(R1, R10, "out")),
    row("less, of what nobody wrote", UNSIGNED_LESS, "EACCES", jlt_reg(R2, R6, "out")),
    row("not greater, of what nobody wrote", UNSIGNED_LESS, "EACCES", jsle_imm(R6, 1, "out")),
    row("less, with both operands", UNSIGNED_LESS, "EINVAL", Instruction(0xA5, R2, R2, 0, 1)),
    row("less, out of the program", UNSIGNED_LESS, "EINVAL", jlt_imm(R2, 5, 100)),
    shown(row("less, over what cannot be", UNSIGNED_LESS, None, jlt_imm(R2, 5, 1), mov64_reg(R0, R6))),
    row("less, over what can be", UNSIGNED_LESS, "EACCES", ldx(DW, R2, R1, 0), jlt_imm(R2, 5, 1), mov64_reg(R0, R6)),
    row("a function", OWN_CALLS, None, call_local("f"), *OUT, *F),
    row("a function that has no result", OWN_CALLS, None, call_local("f"), *OUT, "f", exit_()),
    row("a result there is not", OWN_CALLS, "EACCES", call_local("f"), mov64_reg(R2, R0), *OUT, "f", exit_()),
    row(
        "a function that reads what it was not given",
        OWN_CALLS,
        "EACCES",
        call_local("f"),
        *OUT,
        "f",
        mov64_reg(R0, R6),
        exit_(),
    ),
    replace(
        row(
            "a function that reads the caller's stack at its own R10",
            OWN_CALLS,
            None,
            call_local("f"),
            *OUT,
            "f",
            ldx(DW, R0, R10, -8),
            exit_(),
        ),
        open_before=(6, 12),
    ),
    row("a call spoils R2", OWN_CALLS, "EACCES", call_local("f"), mov64_reg(R0, R2), *OUT, *F),
    row("a call keeps R6", OWN_CALLS, None, mov64_reg(R6, R1), call_local("f"), ldx(DW, R0, R6, 0), *OUT, *F),
    row("a call keeps the stack", OWN_CALLS, None, call_local("f"), ldx(DW, R0, R10, -8), *OUT, *F),
    row("a function is called twice", OWN_CALLS, None, call_local("f"), mov64_imm(R1, 2), call_local("f"), *OUT, *F),
    row("a function gets the context", OWN_CALLS, None, call_local("f"), *OUT, "f", ldx(DW, R0, R1, 0), exit_()),
    shown(row("a function gets a stack", OWN_CALLS, None, mov64_reg(R3, R10), call_local("f"), *OUT, *F)),
    row("a function calls itself", OWN_CALLS, OPEN, call_local("f"), *OUT, "f", call_local("f"), exit_()),
    row("a function calls another", OWN_CALLS, None, call_local("g"), *OUT, *F, "g", call_local("f"), exit_()),
    row("nobody calls a function", OWN_CALLS, "EINVAL", call_local("f"), *OUT, *F, mov64_imm(R0, 2), exit_()),
    row("a function behind the program", OWN_CALLS, OPEN, call_local(100)),
    row("a jump into a function", OWN_CALLS, OPEN, jlt_imm(R2, 3, "f"), call_local("f"), *OUT, *F),
    row(
        "functions that use too much stack",
        OWN_CALLS,
        OPEN,
        st(DW, R10, -300, 0),
        call_local("f"),
        *OUT,
        "f",
        st(DW, R10, -300, 0),
        mov64_imm(R0, 0),
        exit_(),
    ),
    row("a call with an offset", OWN_CALLS, OPEN, Instruction(0x85, 0, 1, 1, 0), *OUT),
    row("arsh32 by a constant", ARSH32, None, arsh32_imm(R2, 31)),
    row("arsh32 by too much", ARSH32, "EINVAL", arsh32_imm(R2, 32)),
    row("arsh32 by less than nothing", ARSH32, "EINVAL", arsh32_imm(R2, -1)),
    row("arsh32 by what nobody wrote", ARSH32, "EACCES", arsh32_reg(R2, R6)),
    row("arsh32 of the frame pointer", ARSH32, "EACCES", arsh32_imm(R10, 1)),
    row("arsh32 of a pointer", ARSH32, "EACCES", arsh32_imm(R1, 1)),
    row("32 bits equal", COMPARE_32, None, jeq32_reg(R2, R0, "out")),
    row("32 bits of a pointer equal", COMPARE_32, None, jeq32_imm(R1, 0, "out")),
    row("32 bits of the frame pointer less", COMPARE_32, None, jlt32_imm(R10, 7, "out")),
    row("32 bits of what nobody wrote", COMPARE_32, "EACCES", jeq32_imm(R6, 0, "out")),
    row("32 bits compared with both operands", COMPARE_32, "EINVAL", Instruction(0x16, R2, R2, 0, 1)),
    row("32 bits compared with a register and a constant", COMPARE_32, "EINVAL", Instruction(0x1E, R2, R2, 0, 1)),
    row("32 bit call", COMPARE_32, "EINVAL", Instruction(0x86, imm=5)),
    row("32 bit exit", COMPARE_32, "EINVAL", Instruction(0x96)),
    on_map("32 bits of a value are no null check", COMPARE_32, None, st(DW, R0, 0, 1)),
    row("an or", ATOMICS, None, atomic(W, Atomic.OR, R10, -8, R2)),
    row("a fetch", ATOMICS, None, atomic(DW, FETCH_ADD, R10, -8, R2), mov64_reg(R0, R2)),
    row("a fetch to the frame pointer", ATOMICS, OPEN, atomic(DW, FETCH_ADD, R10, -8, R10)),
    row("a fetch to what nobody wrote", ATOMICS, "EACCES", atomic(DW, FETCH_ADD, R10, -8, R6)),
    row("a fetch of the context", ATOMICS, "EACCES", atomic(DW, FETCH_ADD, R1, 0, R2)),
    row("a fetch from a number", ATOMICS, "EACCES", atomic(DW, FETCH_ADD, R2, 0, R0)),
    row("a fetch from outside", ATOMICS, "EACCES", atomic(DW, FETCH_ADD, R10, -520, R2)),
    row("a fetch from between", ATOMICS, "EACCES", atomic(DW, FETCH_ADD, R10, -12, R2)),
    row("an exchange with a pointer", ATOMICS, OPEN, atomic(DW, Atomic.XCHG, R10, -8, R1)),
    row("an exchange with a saved pointer", ATOMICS, OPEN, stx(DW, R10, -8, R1), atomic(DW, Atomic.XCHG, R10, -8, R2)),
    row("compare and exchange", ATOMICS, None, atomic(W, Atomic.CMPXCHG, R10, -8, R2)),
    row("no subtraction", ATOMICS, "EINVAL", atomic(W, 0x10, R10, -8, R2)),
    row("no exchange without the old value", ATOMICS, "EINVAL", atomic(W, 0xE0, R10, -8, R2)),
    row("no operation on two bytes", ATOMICS, "EINVAL", Instruction(0xCB, R10, R2, -8, FETCH_ADD)),
    Newer(
        "compare with what nobody wrote",
        ATOMICS,
        "EACCES",
        (st(DW, R10, -8, 0), mov64_imm(R2, 1), atomic(W, Atomic.CMPXCHG, R10, -8, R2), *OUT),
    ),
    on_map("a fetch from a value", ATOMICS, None, atomic(DW, FETCH_ADD, R0, 0, R2), mov64_reg(R3, R2)),
    on_map("a fetch over the address", ATOMICS, "EACCES", atomic(DW, FETCH_ADD, R0, 0, R0)),
    on_map("compare and exchange at R0", ATOMICS, "EACCES", atomic(DW, Atomic.CMPXCHG, R0, 0, R2)),
    on_map("a pointer into a value", ATOMICS, None, atomic(DW, Atomic.XCHG, R0, 0, R6), mov64_reg(R3, R6)),
    on_map("behind a value", ATOMICS, "EACCES", atomic(DW, Atomic.XOR, R0, 8, R2)),
    row("sdiv", CPU_V4, None, sdiv32_reg(R2, R0), smod64_reg(R2, R0), Instruction(0x37, R2, 0, 1, -1)),
    row("sdiv by 0", CPU_V4, "EINVAL", Instruction(0x37, R2, 0, 1, 0)),
    row("sdiv with another offset", CPU_V4, "EINVAL", Instruction(0x3F, R2, R0, 2)),
    row("sdiv of the frame pointer", CPU_V4, "EACCES", sdiv64_reg(R10, R2)),
    row("sdiv of a pointer", CPU_V4, "EACCES", sdiv64_reg(R1, R2)),
    row("movsx", CPU_V4, None, movsx64_8(R0, R2), movsx32_16(R3, R2), movsx64_32(R2, R3)),
    row("movsx of a pointer", CPU_V4, None, movsx64_32(R3, R1)),
    row("movsx of half a pointer", CPU_V4, None, movsx32_16(R3, R10)),
    row("movsx of a constant", CPU_V4, "EINVAL", Instruction(0xB7, R2, 0, 8, 1)),
    row("movsx with a constant", CPU_V4, "EINVAL", Instruction(0xBF, R2, R0, 8, 1)),
    row("movsx of seven bits", CPU_V4, "EINVAL", Instruction(0xBF, R2, R0, 7)),
    row("movsx of 32 of 32 bits", CPU_V4, "EINVAL", Instruction(0xBC, R2, R0, 32)),
    row("movsx of what nobody wrote", CPU_V4, "EACCES", movsx64_8(R0, R6)),
    row("movsx to the frame pointer", CPU_V4, "EACCES", movsx64_8(R10, R2)),
    row("bswap", CPU_V4, None, bswap(R2, 16), bswap(R2, 32), bswap(R2, 64)),
    row("bswap of 8 bits", CPU_V4, "EINVAL", bswap(R2, 8)),
    row("bswap with a source", CPU_V4, "EINVAL", Instruction(0xD7, R2, R1, 0, 16)),
    row("bswap by a register", CPU_V4, "EINVAL", Instruction(0xDF, R2, 0, 0, 16)),
    row("bswap of what nobody wrote", CPU_V4, "EACCES", bswap(R6, 16)),
    row("bswap of a pointer", CPU_V4, OPEN, bswap(R1, 16)),
    row("a signed load", CPU_V4, None, ldxsx(W, R0, R10, -8), ldxsx(B, R0, R10, -1)),
    row("a signed load of 64 bits", CPU_V4, "EINVAL", Instruction(0x99, R2, R10, -8)),
    row("a signed load with a constant", CPU_V4, "EINVAL", Instruction(0x81, R2, R10, -8, 1)),
    row("a signed load of a saved pointer", CPU_V4, "EACCES", stx(DW, R10, -8, R1), ldxsx(W, R0, R10, -8)),
    row("a signed load from the context", CPU_V4, None, ldxsx(W, R0, R1, 8)),
    row("a signed load from behind the context", CPU_V4, "EACCES", ldxsx(W, R0, R1, 400)),
    row("a signed load from the packet's context", CPU_V4, None, ldxsx(W, R0, R1, 0), kind="socket_filter"),
    row("gotol", CPU_V4, None, gotol("out")),
    row("gotol out of the program", CPU_V4, "EINVAL", gotol(100)),
    row("gotol with an offset", CPU_V4, "EINVAL", Instruction(0x06, off=1)),
    row("gotol with a register", CPU_V4, "EINVAL", Instruction(0x06, 1)),
    row("acquire", ORDERED, None, Instruction(0xDB, R0, R10, -8, ACQUIRE), Instruction(0xD3, R0, R10, -8, ACQUIRE)),
    row("acquire from the context", ORDERED, OPEN, Instruction(0xDB, R0, R1, 0, ACQUIRE)),
    row("acquire from a number", ORDERED, "EACCES", Instruction(0xDB, R0, R2, 0, ACQUIRE)),
    row("acquire from what nobody wrote", ORDERED, "EACCES", Instruction(0xDB, R0, R6, 0, ACQUIRE)),
    row("acquire to the frame pointer", ORDERED, "EACCES", Instruction(0xDB, R10, R10, -8, ACQUIRE)),
    row("release", ORDERED, None, Instruction(0xCB, R10, R2, -8, RELEASE)),
    row("release of what nobody wrote", ORDERED, "EACCES", Instruction(0xDB, R10, R6, -8, RELEASE)),
    row("release to outside", ORDERED, "EACCES", Instruction(0xDB, R10, R2, -520, RELEASE)),
    row("release to the context", ORDERED, OPEN, Instruction(0xDB, R1, R2, 0, RELEASE)),
)
