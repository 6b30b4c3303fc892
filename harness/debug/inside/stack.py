# SPDX-License-Identifier: MIT
"""`bpf stack`."""

from __future__ import annotations

from collections.abc import Sequence

from harness.debug.inside.guest import memory
from harness.debug.inside.place import exactly, stack_top
from harness.debug.inside.told import Command, at_most, say
from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, STACK_SIZE, Alu, Class, Source

_WORD = 8
_STORES = (Class.ST, Class.STX)
_ADD_CONSTANT = Class.ALU64 | Alu.ADD


class Stack(Command):
    """Show the stack of the BPF function, as far down as the program names it, or down to R10 - BYTES:
    bpf stack [BYTES]."""

    name = "bpf stack"

    def run(self, words: list[str]) -> None:
        at_most(words, 1, "bpf stack [BYTES]")
        place = exactly(self.session)
        top = stack_top(self.session, place)
        asked = abs(int(words[0], 0)) if words else depth(place.loaded.given)
        size = min(STACK_SIZE, -(-asked // _WORD) * _WORD)
        if not size:
            say("the program names no byte of its stack")
        content = memory(top - size, size) if size else b""
        for at in range(size - _WORD, -1, -_WORD):
            piece = content[at : at + _WORD]
            say(f"r10{at - size:<+5} {int.from_bytes(piece, 'little'):#018x}  {piece.hex(' ')}")


def depth(program: Sequence[Instruction]) -> int:
    """Returns how many bytes of the stack a program's instructions name."""
    named = [0]
    for before, one in zip((None, *program), program, strict=False):
        stores = one.opcode_class in _STORES and one.dst == FRAME_POINTER
        if stores or (one.opcode_class is Class.LDX and one.src == FRAME_POINTER):
            named.append(-one.off)
        elif before is not None and _copies_frame(before, one.dst) and one.code == _ADD_CONSTANT:
            named.append(-one.imm)
    return max(named)


def _copies_frame(one: Instruction, to: int) -> bool:
    return one.code == (Class.ALU64 | Alu.MOV | Source.X) and one.src == FRAME_POINTER and one.dst == to
