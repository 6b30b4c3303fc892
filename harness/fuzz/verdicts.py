# SPDX-License-Identifier: MIT
"""Cases for verifiers alone: many programs that are loaded and never run, near the edge of what is accepted.

Half of them are accepted programs with a few instructions changed, or with a piece of another one in the place of a
piece; the others are short sequences in which pointers, numbers and comparisons meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from harness.core_scripts.parts import array
from harness.fuzz.draw import KEY
from harness.fuzz.functions import MAPS
from harness.fuzz.generate import changed, deadly, generated_maps, generated_program
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R6,
    R7,
    R8,
    R9,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    jne_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Jump, Source
from harness.model.eras import Era
from harness.script.operations import LoadProgram, Program, ProgramType, Script

PROGRAMS = 25
"""The number of programs in a case."""
MOST_SPLICED = 12
"""Instructions that a piece of another program has."""
USED = (R0, R1, R2, R6, R7, R8, R9, R10)
"""The registers of the short sequences."""
_ARITHMETIC = tuple(one for one in Alu if one not in (Alu.END, Alu.MOV))
_COMPARISONS = (Jump.JEQ, Jump.JNE, Jump.JGT, Jump.JGE, Jump.JSGT, Jump.JSET)


def case(seed: int, number: int, era: Era) -> Script:
    """One case; the same seed and number give the same on every host."""
    random = Random(f"verdicts/{seed}/{number}")
    loads = tuple(_load(random, f"program {index}", era) for index in range(PROGRAMS))
    maps = (*generated_maps(random), *MAPS, array("array"))
    return Script(f"verdicts-{seed}-{number}", "generated programs for the verifier", (*maps, *loads))


def _load(random: Random, name: str, era: Era) -> LoadProgram:
    kind = ProgramType.KPROBE if era.kprobes and random.random() < 0.3 else ProgramType.SOCKET_FILTER
    for _ in range(8):
        code = random.choice(_WAYS)(random, kind, era)
        if not deadly(list(code.instructions), kind, era):
            return LoadProgram(name, kind, code)
    return LoadProgram(name, kind, program(mov64_imm(R0, 0), exit_()))


def _mutant(random: Random, kind: ProgramType, era: Era) -> Program:
    """An accepted program with up to three instructions changed: in any field, or for another sensible one."""
    code = generated_program(random, kind, era, tail_calls=True)
    instructions = list(code.instructions)
    for _ in range(random.randrange(1, 4)):
        index = random.randrange(len(instructions))
        before = instructions[index]
        instructions[index] = random.choice((changed, _other_register, _any_of))(random, before)
    return _with_maps(instructions, code)


def _splice(random: Random, kind: ProgramType, era: Era) -> Program:
    """An accepted program in which a piece of another one stands for as many instructions."""
    code = generated_program(random, kind, era, tail_calls=True)
    other = generated_program(random, kind, era).instructions
    instructions = list(code.instructions)
    length = random.randrange(1, min(MOST_SPLICED, len(other), len(instructions)))
    start, begin = (random.randrange(len(one) - length) for one in (other, instructions))
    instructions[begin : begin + length] = other[start : start + length]
    return _with_maps(instructions, code)


def _sequence(random: Random, _: ProgramType, __: Era) -> Program:
    """Registers of every kind, a few instructions over them, and an end."""
    body = [_any_of(random, Instruction(0)) for _ in range(random.randrange(1, 9))]
    return program(_prologue(random), body, mov64_imm(R0, 0), exit_())


_WAYS: Sequence[Callable[[Random, ProgramType, Era], Program]] = (_mutant, _splice, _sequence, _sequence)


def _prologue(random: Random) -> Piece:
    """R6 is the context, R7 the stack, R8 a lookup's result, perhaps checked, R9 a number."""
    checked = (jne_imm(R0, 0, 2), mov64_imm(R0, 0), exit_())
    return (
        (mov64_reg(R6, R1), st(DW, R10, KEY, 0), mov64_reg(R2, R10), add64_imm(R2, KEY)),
        (ld_map(R1, random.choice(("array", "table"))), call(Helper.MAP_LOOKUP_ELEM)),
        (checked if random.random() < 0.5 else (), mov64_reg(R8, R0), mov64_reg(R7, R10), add64_imm(R7, -16)),
        (ldx(W, R9, R6, 0), mov64_reg(R1, R6), mov64_imm(R2, random.choice((0, 1, -1, 8)))),
        random.choice(((), mov64_imm(R0, 0), st(DW, R10, -8, 0))),
    )


def _any_of(random: Random, _: Instruction) -> Instruction:
    """An instruction whose fields have values that mean something."""
    dst, src = random.choice(USED), random.choice(USED)
    imm, by = random.choice((0, 1, 4, 8, -1, -8)), random.choice((Source.X, Source.K))
    wide = random.choice((Class.ALU64, Class.ALU64, Class.ALU))
    read, written = (src, 0) if by is Source.X else (0, imm)
    match random.randrange(6):
        case 0:
            return Instruction(wide | Alu.MOV | by, dst, read, 0, written)
        case 1:
            operation = random.choice((Alu.ADD, Alu.SUB, *_ARITHMETIC))
            return Instruction(wide | operation | (0 if operation is Alu.NEG else by), dst, read, 0, written)
        case 2:
            return ldx(random.choice((W, DW)), dst, src, random.choice((0, 4, 8, -8, -16)))
        case 3:
            return replace(ldx(random.choice((W, DW)), dst, src, random.choice((0, 8, -8, -16))), code=0x7B)
        case 4:
            return Instruction(0x7A, dst, 0, random.choice((0, -8, -16)), imm)
    return Instruction(Class.JMP | random.choice(_COMPARISONS) | by, dst, read, random.randrange(3), written)


def _other_register(random: Random, instruction: Instruction) -> Instruction:
    return replace(instruction, **{random.choice(("dst", "src")): random.randrange(11)})


def _with_maps(instructions: Sequence[Instruction], code: Program) -> Program:
    maps = tuple((index, name) for index, name in code.maps if instructions[index] == code.instructions[index])
    return Program(tuple(instructions), maps, code.functions)
