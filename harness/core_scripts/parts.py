# SPDX-License-Identifier: MIT
"""Pieces that many scripts share: a probe on `cap_task_prctl`, its trigger, and programs that ignore all other
callers."""

from __future__ import annotations

import struct

from harness.abi.pt_regs import PtRegs
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R6,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    jne_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    stx,
    xadd,
)
from harness.script.operations import (
    Attach,
    CreateKprobe,
    CreateMap,
    LoadProgram,
    LookupElement,
    MapType,
    OpenEvent,
    Operation,
    Program,
    ProgramType,
    Ref,
    Trigger,
)
from harness.script.triggers import UNKNOWN_PRCTL

PRCTL = "cap_task_prctl"
MAGIC = 0x1122_3344_5566_7788
"""An argument with eight different bytes, so that a wrong width, offset or order shows."""


def u32(value: int) -> bytes:
    return struct.pack("<I", value & 0xFFFF_FFFF)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value & 0xFFFF_FFFF_FFFF_FFFF)


def on_our_prctl(registers: PtRegs, *body: Piece, otherwise: int = 0) -> Program:
    """Returns a program that runs `body` only for the script's own prctl, with the context in R6; `body` leaves the
    verdict in R0.

    The kernel calls the probed function for every prctl(2) of every task. `otherwise` is the verdict for those.
    """
    return program(
        mov64_reg(R6, R1),
        ldx(W, R0, R6, registers.argument(0)),
        jeq_imm(R0, UNKNOWN_PRCTL, "ours"),
        mov64_imm(R0, otherwise),
        exit_(),
        "ours",
        body,
        exit_(),
    )


def element(map_name: str, key: int = 0) -> tuple[Piece, ...]:
    """Puts the address of the element `key` (32 bits) of a map into R0; the program ends with 0 when there is none.

    The key goes through a register: the JIT of 4.1 for arm64 has no store of a constant, and leaves such a program to
    the interpreter.
    """
    return (
        mov64_imm(R1, key),
        stx(W, R10, -4, R1),
        mov64_reg(R2, R10),
        add64_imm(R2, -4),
        ld_map(R1, map_name),
        call(Helper.MAP_LOOKUP_ELEM),
        jne_imm(R0, 0, 1),
        exit_(),
    )


def count_hits(map_name: str = "hits", verdict: int = 1) -> tuple[Piece, ...]:
    """Adds one to the first element of a map, atomically; R0 becomes `verdict`."""
    return (*element(map_name), mov64_imm(R1, 1), xadd(DW, R0, 0, R1), mov64_imm(R0, verdict))


def array(name: str, entries: int = 1, value_size: int = 8) -> CreateMap:
    return CreateMap(name, MapType.ARRAY, 4, value_size, entries)


def kprobe_program(name: str, code: Program) -> LoadProgram:
    return LoadProgram(name, ProgramType.KPROBE, code)


def probed(code: Program, *, symbol: str = PRCTL, returns: bool = False) -> tuple[Operation, ...]:
    """Loads `code` as "program", makes a probe on `symbol`, opens an event on it, and attaches."""
    return (
        kprobe_program("program", code),
        CreateKprobe("probe", symbol, returns=returns),
        OpenEvent("event", Ref("probe")),
        Attach(Ref("event"), Ref("program")),
    )


def prctl(*arguments: int, times: int = 1) -> Trigger:
    """Returns the script's own prctl(2): the magic option, and up to four arguments of 64 bits."""
    return Trigger(PRCTL, (UNKNOWN_PRCTL, *arguments), times)


def read_u64(map_name: str, key: int = 0) -> LookupElement:
    return LookupElement(Ref(map_name), u32(key), 8)
