# SPDX-License-Identifier: MIT
"""What a case aims at, beside what chance brings: every instruction that computes or compares, with operands of every
class, one after the other.

Which ones is decided by the seed and the number of the case, not by what a campaign has reached so far: a case must be
the same on every host, in every shard, after a kill, and by itself. In the order that belongs to a seed each aim has
its turn before any of them has it again, so that some thousand cases reach what chance leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from math import gcd
from random import Random
from typing import NamedTuple

from harness.fuzz.blocks import Blocks
from harness.fuzz.coverage.classes import IMMEDIATES, NUMBERS, drawn
from harness.fuzz.draw import NUMBERS as REGISTERS
from harness.fuzz.draw import opcodes, signed32
from harness.isa.assemble import R0, LabelledJump, Piece, ld_imm64, mov64_imm
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Source
from harness.isa.table import Opcode
from harness.model.eras import Era
from harness.release import Release

EACH = 4
"""The aims of a case."""
_SHIFTS = (Alu.LSH, Alu.RSH, Alu.ARSH)
_DIVISIONS = (Alu.DIV, Alu.MOD)
_JUMPS = (Class.JMP, Class.JMP32)
_FREE = tuple(register for register in REGISTERS if register != R0)


class Aim(NamedTuple):
    """An instruction, and the classes of its operands (`harness.fuzz.coverage.classes`)."""

    opcode: Opcode
    dst: str
    src: str


class Aimed(NamedTuple):
    """The code for an aim, and the register with what came of it."""

    code: Piece
    result: int


class Aims:
    """The aims of case `number` of a seed."""

    def __init__(self, seed: int, number: int, era: Era) -> None:
        self._random = Random(f"aims/{seed}/{number}")
        every = aims(era.release)
        order = Random(f"aims/{seed}")
        stride = next(one for one in iter(lambda: order.randrange(1, len(every)), 0) if gcd(one, len(every)) == 1)
        first = order.randrange(len(every))
        self.chosen = [every[(first + stride * (EACH * number + index)) % len(every)] for index in range(EACH)]

    def pieces(self, blocks: Blocks) -> Iterator[Aimed]:
        """Yields the code for each. It leaves R0 as it is."""
        for aim in self.chosen:
            dst, src = self._random.sample(_FREE, 2)
            yield Aimed(self._piece(aim, dst, src, blocks), dst)

    def _piece(self, aim: Aim, dst: int, src: int, blocks: Blocks) -> Piece:
        """Two constants, and the instruction; of a jump, another constant where it is not taken."""
        opcode, random = aim.opcode, self._random
        selected = {opcode.selector: opcode.value} if opcode.selector else {}
        bits = 64 if opcode.opcode_class in (Class.ALU64, Class.JMP) else 32
        begin: list[Piece] = [ld_imm64(dst, drawn(random, aim.dst))]
        if opcode.operation == Alu.END and opcode.opcode_class not in _JUMPS:
            return (begin, Instruction(opcode.code, dst, imm=random.choice((16, 32, 64))))
        if opcode.operation == Alu.NEG and opcode.opcode_class not in _JUMPS:
            return (begin, Instruction(opcode.code, dst))
        if opcode.source == Source.X:
            begin.append(ld_imm64(src, drawn(random, aim.src)))
            instruction = Instruction(opcode.code, dst, src, **selected)
        else:
            imm = signed32(drawn(random, aim.src, immediate=True))
            instruction = Instruction(opcode.code, dst, imm=imm, **selected)
        if opcode.opcode_class in _JUMPS:
            end = blocks.label()
            other = mov64_imm(dst, random.randrange(1 << 31))
            return (begin, LabelledJump(instruction, end), other, blocks.before_label(), end)
        if opcode.source == Source.X:
            return (begin, blocks.tamed(opcode.operation, src, bits), instruction)
        if opcode.operation in _SHIFTS:
            return (begin, Instruction(opcode.code, dst, imm=instruction.imm % bits))
        if opcode.operation in _DIVISIONS and not instruction.imm:
            return (begin, Instruction(opcode.code, dst, imm=1, **selected))
        return (begin, instruction)


@cache
def aims(release: Release) -> tuple[Aim, ...]:
    """Returns every aim for the instructions of a release."""
    every = opcodes(release, Class.ALU, Class.ALU64, *_JUMPS)
    return tuple(
        Aim(opcode, dst, src)
        for opcode in every
        for dst, src in product(NUMBERS, NUMBERS if opcode.source == Source.X else IMMEDIATES)
    )
