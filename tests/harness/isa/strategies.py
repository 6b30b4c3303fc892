# SPDX-License-Identifier: MIT
"""Random instructions: of every known opcode with any fields, and any eight bytes at all."""

from __future__ import annotations

from hypothesis import strategies as st

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64
from harness.isa.table import OPCODES, Opcode

_REGISTER = st.integers(0, 15)
_OFF = st.one_of(st.integers(-4, 8), st.integers(-(1 << 15), (1 << 15) - 1))
_IMM = st.one_of(st.integers(-4, 72), st.integers(-(1 << 31), (1 << 31) - 1))


@st.composite
def _encoding(draw: st.DrawFn, opcode: Opcode) -> tuple[Instruction, ...]:
    fields = {"dst": draw(_REGISTER), "src": draw(_REGISTER), "off": draw(_OFF), "imm": draw(_IMM)}
    if opcode.selector:
        fields[opcode.selector] = opcode.value
    first = Instruction(opcode.code, **fields)
    return (first, Instruction(0, imm=draw(_IMM))) if opcode.code == LD_IMM64 else (first,)


encodings = st.lists(st.sampled_from(OPCODES).flatmap(_encoding), max_size=8).map(lambda parts: sum(parts, ()))
"""Programs of known opcodes; reserved fields may hold anything."""

any_instructions = st.builds(Instruction, st.integers(0, 255), _REGISTER, _REGISTER, _OFF, _IMM)
