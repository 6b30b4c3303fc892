# SPDX-License-Identifier: MIT
"""Random pieces about the ranges that a verifier computes for unknown numbers.

Numbers come from the map `numbers`, so that the generator knows them and the verifier does not. They are copied, taken
apart and compared; the other side of each comparison, on which a program never is, leaves another number behind. A
verifier that believes what is not true takes the wrong side for the only one, and removes the right one: programs of
root lose what is dead since 5.1 (opt_hard_wire_dead_code_branches() and opt_remove_dead_code(), kernel/bpf/verifier.c).
So each wrong belief becomes a wrong number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.fuzz.draw import NUMBERS_AT, Draw, opcodes, signed32
from harness.fuzz.following import Following
from harness.isa.assemble import DW, R10, LabelledJump, Piece, ja, ldx, mov32_reg, mov64_imm, mov64_reg
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Jump, Source
from harness.isa.table import ARSH32, COMPARE_32, Opcode

_SHIFTS = (Alu.LSH, Alu.RSH, Alu.ARSH)
_OTHERS = (Alu.ADD, Alu.SUB, Alu.AND, Alu.OR, Alu.XOR, Alu.MUL)
_JOINS = (Alu.OR, Alu.AND, Alu.XOR)


class Ranges:
    """One piece, and what it makes of the numbers: `one` is the number it is about, `copy` a copy of it, `other`
    another one."""

    def __init__(self, draw: Draw) -> None:
        self._draw, self._random = draw, draw.random
        self._numbers = Following(draw.around.rules)
        self._one, self._copy, self._other, self._mark, self._base = draw.registers(5)
        self._end = draw.label()
        self._away: list[Piece] = []
        """Other sides that are behind everything else."""

    def piece(self) -> Piece:
        """A few numbers, some steps with them, comparisons among them."""
        plan = self._random.choice(_PLANS) if self._random.random() < 0.6 else self._plan()
        steps = [self._loads(), [step(self) for step in plan], self._marked()]
        over: Piece = ja(self._end) if self._away else ()
        return (steps, over, self._away, self._end, self._draw.renew(self._base))

    def _plan(self) -> Sequence[Step]:
        return (*self._random.choices(_STEPS, k=self._random.randrange(2, 7)), Ranges.equal)

    def _loads(self) -> Piece:
        registers = (self._one, self._copy, self._other)
        loads: list[Piece] = [ldx(DW, self._base, R10, NUMBERS_AT)]
        for register in registers:
            index = self._random.randrange(len(self._draw.numbers))
            self._numbers[register] = self._draw.numbers[index]
            loads.append(ldx(DW, register, self._base, 8 * index))
        return loads

    # Steps ---------------------------------------------------------------------------------------------------------

    def copied(self) -> Piece:
        """Two registers hold one number, or one of them its low half."""
        return self._compute((mov64_reg if self._random.random() < 0.75 else mov32_reg)(self._copy, self._one))

    def doubled(self) -> Piece:
        """A register and itself."""
        return self._compute(self._arithmetic(_OTHERS[:1] if self._random.random() < 0.6 else _OTHERS, self._one))

    def added(self) -> Piece:
        """A small number is added or subtracted, by which a copy then differs."""
        return self._compute(self._arithmetic(_OTHERS[:2], imm=self._random.randrange(-16, 17)))

    def spread(self) -> Piece:
        """A sign becomes a whole register: 0 or -1 is all that is known of it."""
        kind = self._random.choice((Class.ALU, Class.ALU64)) if self._has_signed_shifts() else Class.ALU64
        return self._compute(Instruction(kind | Alu.ARSH | Source.K, self._one, imm=63 if kind == Class.ALU64 else 31))

    def joined(self) -> Piece:
        """Some bits are joined with a constant's."""
        imm = self._random.choice((1 << self._random.randrange(31), self._draw.imm()))
        return self._compute(self._arithmetic(_JOINS, imm=imm))

    def narrowed(self) -> Piece:
        """The low half alone."""
        return self._compute(mov32_reg(self._one, self._one))

    def swapped(self) -> Piece:
        """Some of its bytes in another order, or without those above them."""
        code = self._random.choice(
            [one.code for one in self._opcodes(Class.ALU, Class.ALU64) if one.operation == Alu.END]
        )
        return self._compute(Instruction(code, self._one, imm=self._random.choice((16, 32, 64))))

    def changed(self) -> Piece:
        """Any operation with a constant or with another number."""
        if self._random.random() < 0.3:
            return self._compute(self._arithmetic(_OTHERS, self._random.choice((self._copy, self._other))))
        if self._random.random() < 0.4:
            bits = self._random.choice((32, 64)) if self._has_signed_shifts() else 64
            count = self._random.choice((1, bits // 2, bits - 1, self._random.randrange(bits)))
            kind = Class.ALU64 if bits == 64 else Class.ALU
            return self._compute(Instruction(kind | self._random.choice(_SHIFTS) | Source.K, self._one, imm=count))
        return self._compute(self._arithmetic(_OTHERS, imm=self._draw.imm()))

    def compared(self) -> Piece:
        """Any comparison, of the number or its copy, with the other number or one near by."""
        dst = self._random.choice((self._one, self._copy, self._copy))
        opcode = self._random.choice(self._opcodes(Class.JMP, Class.JMP32))
        if opcode.source == Source.X:
            return self._sides(Instruction(opcode.code, dst, self._random.choice((self._other, self._one, self._copy))))
        near = self._numbers[dst] + self._random.choice((-1, 0, 0, 1))
        return self._sides(Instruction(opcode.code, dst, imm=self._random.choice((signed32(near), self._draw.imm()))))

    def equal(self) -> Piece:
        """The number is what it is."""
        halves = self._draw.around.has(COMPARE_32) and self._random.random() < 0.4
        kind, comparison = Class.JMP32 if halves else Class.JMP, self._random.choice((Jump.JEQ, Jump.JNE))
        return self._sides(Instruction(kind | comparison | Source.K, self._one, imm=signed32(self._numbers[self._one])))

    # What steps are made of ----------------------------------------------------------------------------------------

    def _compute(self, instruction: Instruction) -> Piece:
        self._numbers.compute(instruction)
        return instruction

    def _arithmetic(self, operations: Sequence[Alu], src: int | None = None, *, imm: int = 0) -> Instruction:
        kind = Class.ALU64 if self._random.random() < 0.7 else Class.ALU
        operation = self._random.choice(operations)
        if src is None:
            return Instruction(kind | operation | Source.K, self._one, imm=imm)
        return Instruction(kind | operation | Source.X, self._one, src)

    def _opcodes(self, *kinds: Class) -> Sequence[Opcode]:
        return opcodes(self._draw.around.rules.release, *kinds)

    def _has_signed_shifts(self) -> bool:
        return self._draw.around.has(ARSH32)

    def _sides(self, jump: Instruction) -> Piece:
        """A comparison; on its other side the mark is another number."""
        other = self._draw.label()
        if self._numbers.jumps(jump):
            return (LabelledJump(jump, other), self._marked(), ja(self._end), other)
        self._away.append((other, self._marked(), ja(self._end)))
        return LabelledJump(jump, other)

    def _marked(self) -> Piece:
        return mov64_imm(self._mark, self._draw.imm())


Step = Callable[[Ranges], Piece]

_STEPS: tuple[Step, ...] = (
    Ranges.copied,
    Ranges.doubled,
    Ranges.added,
    Ranges.spread,
    Ranges.joined,
    Ranges.narrowed,
    Ranges.swapped,
    Ranges.changed,
    Ranges.compared,
    Ranges.equal,
)
_PLANS: tuple[Sequence[Step], ...] = (
    (Ranges.copied, Ranges.equal, Ranges.doubled, Ranges.compared, Ranges.equal),
    (Ranges.copied, Ranges.added, Ranges.compared, Ranges.equal),
    (Ranges.copied, Ranges.compared, Ranges.added, Ranges.equal),
    (Ranges.copied, Ranges.swapped, Ranges.compared, Ranges.equal),
    (Ranges.spread, Ranges.joined, Ranges.equal),
    (Ranges.narrowed, Ranges.compared, Ranges.changed, Ranges.equal),
)
"""The steps that faults of verifiers needed: copies that are compared and changed, signs joined with a constant,
halves."""
