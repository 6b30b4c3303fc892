# SPDX-License-Identifier: MIT
"""Wrapping of a program of the suite for a kernel, where nothing points to raw memory and R0 is cut to 32 bits.

The memory becomes the value of an array map: a prologue puts its address into R1 and its length into R2, as the suite
demands. Each `exit` of the program becomes a jump to an epilogue, which stores all of R0 in another map. Functions that
the program calls keep their exits and stay behind it, because a function must be contiguous.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
    aim,
    call,
    exit_,
    jne_imm,
    ld_map,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Jump
from harness.isa.table import find
from harness.model.verifier.later.fields import first_halves
from harness.programs.structure import target_distance
from harness.script.operations import Program

JA, EXIT = Class.JMP | Jump.JA, Class.JMP | Jump.EXIT
MEMORY, RESULT = "memory", "result"
"""The maps: one element each, of the memory's size, and of 8 bytes."""
ENDED_EARLY, NO_ELEMENT, STORED = 0, 1, 2
"""The return value of the wrapped program: 0 when the kernel ended it by itself, as 4.1 does at a division by 0."""


def wrap(wrapped: Program, length: int) -> Program:
    """Wraps `wrapped`, which must have passed `harness.programs.structure.check`, with `length` bytes of memory."""
    prologue, epilogue = _prologue(length), _epilogue()
    main = _end_of_main(wrapped)
    before, between = len(prologue.instructions), len(epilogue.instructions)

    def moved(index: int) -> int:
        return before + index + (between if index >= main else 0)

    body = list(wrapped.instructions)
    for index, instruction in first_halves(wrapped.instructions):
        if instruction.code == EXIT and index < main:
            body[index] = replace(instruction, code=JA, off=main - index - 1)
        else:
            body[index] = _again(index, instruction, moved)
    return Program(
        (*prologue.instructions, *body[:main], *epilogue.instructions, *body[main:]),
        (*prologue.maps, *((before + main + index, reference) for index, reference in epilogue.maps)),
    )


def _end_of_main(of: Program) -> int:
    """Returns where the first function begins that the program calls, or passes to a helper."""
    entries = (
        index + 1 + instruction.imm
        for index, instruction in first_halves(of.instructions)
        if (opcode := find(instruction)) and opcode.name in ("call_local", "ld_function")
    )
    return min((entry for entry in entries if entry > 0), default=len(of.instructions))


def _again(index: int, instruction: Instruction, moved: Callable[[int], int]) -> Instruction:
    """Returns the instruction, with the distance to where its target is now."""
    opcode = find(instruction)
    distance = target_distance(instruction, opcode) if opcode else None
    if distance is None:
        return instruction
    distance = moved(index + 1 + distance) - moved(index) - 1
    return replace(instruction, imm=distance) if instruction.code == LD_IMM64 else aim(instruction, distance)


def _prologue(length: int) -> Program:
    if not length:
        return program(mov64_imm(R1, 0), mov64_imm(R2, 0))
    return program(_element(MEMORY), mov64_reg(R1, R0), mov64_imm(R2, length))


def _epilogue() -> Program:
    return program(mov64_reg(R6, R0), _element(RESULT), stx(DW, R0, 0, R6), mov64_imm(R0, STORED), exit_())


def _element(name: str) -> tuple[Piece, ...]:
    """Puts the address of the only element of an array into R0."""
    return (
        st(W, R10, -4, 0),
        mov64_reg(R2, R10),
        add64_imm(R2, -4),
        ld_map(R1, name),
        call(Helper.MAP_LOOKUP_ELEM),
        jne_imm(R0, 0, 2),
        mov64_imm(R0, NO_ELEMENT),
        exit_(),
    )
