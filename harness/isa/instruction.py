# SPDX-License-Identifier: MIT
"""One BPF instruction: eight bytes, as `struct bpf_insn` in include/uapi/linux/bpf.h."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from harness.isa.opcodes import Coded
from hil.errors import UserError

SIZE = 8
MOST_INSTRUCTIONS = 1_000_000
"""BPF_COMPLEXITY_LIMIT_INSNS: what the most generous kernel takes."""
_LAYOUT, _BIG_ENDIAN = struct.Struct("<BBhi"), struct.Struct(">BBhi")


@dataclass(frozen=True, slots=True)
class Instruction(Coded):
    """An instruction: `code`, two register numbers of four bits each, a signed 16 bit `off`, a signed 32 bit `imm`.

    A 64 bit constant (`BPF_LD | BPF_IMM | BPF_DW`) is two instructions, as it is for the kernel.
    """

    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0

    def encode(self) -> bytes:
        """Returns the eight bytes for a little-endian kernel; raises UserError naming a field that does not fit."""
        try:
            if not (0 <= self.dst < 16 and 0 <= self.src < 16):
                raise struct.error("register number needs 4 bits")
            return _LAYOUT.pack(self.code, self.dst | self.src << 4, self.off, self.imm)
        except struct.error as error:
            raise UserError(f"instruction {self} cannot be encoded: {error}") from None


def encode(instructions: Iterable[Instruction]) -> bytes:
    """Returns the bytes of a whole program; raises UserError as `Instruction.encode`."""
    whole, pack = tuple(instructions), _LAYOUT.pack
    with suppress(struct.error):
        if not any((one.dst | one.src) & ~0xF for one in whole):
            return b"".join([pack(one.code, one.dst | one.src << 4, one.off, one.imm) for one in whole])
    return b"".join([one.encode() for one in whole])  # which says what does not fit


def decode(code: bytes, *, big_endian: bool = False) -> tuple[Instruction, ...]:
    """Returns the instructions in `code`; raises UserError when its length is no multiple of eight.

    In a big-endian kernel's code the fields `dst` and `src` of the second byte are swapped, too.
    """
    if len(code) % SIZE:
        raise UserError(f"program of {len(code)} bytes", remedy=f"its length must be a multiple of {SIZE}")
    if big_endian:
        return tuple(
            Instruction(opcode, registers >> 4, registers & 0xF, off, imm)
            for opcode, registers, off, imm in _BIG_ENDIAN.iter_unpack(code)
        )
    return tuple(
        Instruction(opcode, registers & 0xF, registers >> 4, off, imm)
        for opcode, registers, off, imm in _LAYOUT.iter_unpack(code)
    )
