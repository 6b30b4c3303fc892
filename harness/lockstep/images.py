# SPDX-License-Identifier: MIT
"""Where a kernel before 5.0 put the instructions of a program, by what it made of them. It tells nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.isa.instruction import SIZE, encode
from harness.isa.opcodes import LD_IMM64, Class, Mode, Size
from harness.lockstep.inside import same_code, starts
from harness.script.operations import LoadProgram, ProgramType

# sk_filter_convert_ctx_access() of net/core/filter.c, 4.1: by the offset in `struct __sk_buff`, where it is not one.
_CONVERTED = {4: 2, 20: 3, 24: 2}
_CONTEXT_LOAD = Class.LDX | Mode.MEM | Size.W
_ARM_PROLOGUE = 6
_ARM_PUSH, _ARM_PUSH_MASK = 0xA9BF_0000, 0xFFFF_0000
"""stp REG, REG, [sp, #-16]!"""


def begins(arch: str, ends: Sequence[int], translated: bytes, image: bytes) -> Mapping[int, int]:
    """Returns where the native code of each instruction begins in the image: the first one with the prologue.

    x86's array has bytes with the prologue, and for a 64 bit constant the end at its second half; arm64's has
    instructions without the prologue, and the end at the first half.
    """
    found, end = {}, 0
    pushes = arch == "arm64" and int.from_bytes(image[8:12], "little") & _ARM_PUSH_MASK == _ARM_PUSH
    numbers = starts(translated)
    for number, following in zip(numbers, [*numbers[1:], len(ends)], strict=True):
        found[number] = end
        end = ends[following - 1] if arch == "x86_64" else 4 * (_ARM_PROLOGUE + pushes + ends[number])
    return found


def origins(translated: bytes, operation: LoadProgram) -> tuple[tuple[int, int], ...] | None:
    """Returns pairs of a number of a translated instruction and of the script's one it comes from; None when the
    program is another one."""
    instructions, lines, at = operation.program.instructions, [], 0
    for index in starts(encode(instructions)):
        one = instructions[index]
        shown = translated[SIZE * at : SIZE * (at + 1)]
        if not shown:
            return None
        lines.append((at, index))
        if same_code(one.encode(), shown):
            at += 2 if one.code == LD_IMM64 else 1
        elif one.code == _CONTEXT_LOAD and operation.type is ProgramType.SOCKET_FILTER:
            at += _CONVERTED.get(one.off, 1)
        else:
            return None
    return tuple(lines) if at == len(translated) // SIZE else None
