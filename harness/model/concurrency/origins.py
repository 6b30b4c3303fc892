# SPDX-License-Identifier: MIT
"""Data flow in a program: which registers hold what was read where, and what that decides."""

from __future__ import annotations

from typing import Generic, TypeVar

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R1, R5, Alu, Class, Jump, Mode, Source

Place = TypeVar("Place")


class Origins(Generic[Place]):
    """The data flow of one run. A place is any value that identifies a location; what goes through the stack is not
    followed."""

    def __init__(self) -> None:
        self._of: dict[int, frozenset[Place]] = {}

    def step(self, insn: Instruction, place: Place | None) -> frozenset[Place]:
        """Follows one instruction, which reads or stores at `place`. Returns the places whose value decides where the
        program goes, what it returns, passes on, or stores elsewhere."""
        match insn.opcode_class:
            case Class.LDX:
                base = self._held(insn.src)
                self._of[insn.dst] = frozenset() if place is None else frozenset({place})
                return base
            case Class.ALU | Class.ALU64:
                former = () if insn.operation == Alu.MOV else (insn.dst,)
                self._of[insn.dst] = self._held(*former, *self._source(insn))
            case Class.STX if insn.mode == Mode.ATOMIC:
                return self._held(insn.dst, insn.src, R0)
            case Class.ST:
                return self._held(insn.dst)
            case Class.STX:
                return self._held(insn.dst) | self._held(insn.src) - frozenset({place})
            case Class.JMP | Class.JMP32:
                return self._decided(insn)
            case _:
                self._of[R0 if insn.mode != Mode.IMM else insn.dst] = frozenset()
        return frozenset()

    def _decided(self, insn: Instruction) -> frozenset[Place]:
        match insn.operation:
            case Jump.JA:
                return frozenset()
            case Jump.EXIT:
                return self._held(R0)
            case Jump.CALL:
                handed = self._held(*range(R1, R5 + 1))
                for register in range(R0, R5 + 1):
                    self._of.pop(register, None)
                return handed
        return self._held(insn.dst, *self._source(insn))

    @staticmethod
    def _source(insn: Instruction) -> tuple[int, ...]:
        """Returns the register that an operation takes beside `dst`, if it takes one."""
        return (insn.src,) if insn.source == Source.X else ()

    def _held(self, *registers: int) -> frozenset[Place]:
        return frozenset(place for register in registers for place in self._of.get(register, ()))
