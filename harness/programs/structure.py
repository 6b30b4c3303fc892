# SPDX-License-Identifier: MIT
"""Checks that must hold before running a program means anything.

The interpreter trusts its programs as the kernel's does, because a verifier checked them. These checks are the part of
the verifier that needs no simulation, so that any bytes can be run: they end, fault or return.
"""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.notation import is_wide
from harness.isa.opcodes import LD_IMM64, REGISTERS, Class, Jump, Pseudo
from harness.isa.table import Opcode, find
from harness.release import Release
from harness.script.operations import Program
from hil.errors import UserError

_NEVER_GO_ON = frozenset({"exit", "ja", "gotol"})
_OF_MAPS = (Pseudo.MAP_FD, Pseudo.MAP_VALUE)
_JUMP_CLASSES = (Class.JMP, Class.JMP32)


def check(program: Program, release: Release) -> None:
    """Raises UserError naming the first instruction for which `release` has no opcode, that jumps out of the program or
    into half an instruction, uses a register that does not exist, or has no successor."""
    instructions, named = program.instructions, {index for index, _ in program.maps}
    if not instructions:
        raise UserError("the program has no instructions")
    starts: set[int] = set()
    targets: list[tuple[int, int]] = []
    index, opcode = 0, None
    while index < len(instructions):
        instruction = instructions[index]
        opcode = _opcode(index, instruction, release)
        starts.add(index)
        if instruction.dst >= REGISTERS or instruction.src >= REGISTERS:
            raise _wrong(index, f"names r{max(instruction.dst, instruction.src)}, which does not exist")
        if instruction.code == LD_IMM64 and instruction.src in _OF_MAPS and index not in named:
            what = f"loads the map of descriptor {instruction.imm}, but no descriptor is open here"
            raise _wrong(index, what, remedy="name the map, as text (`r1 = map NAME`) and object files do")
        if (distance := target_distance(instruction, opcode)) is not None:
            targets.append((index, index + 1 + distance))
        index += 2 if is_wide(opcode) else 1
    if index > len(instructions):
        raise _wrong(len(instructions) - 1, "is half a 64 bit constant")
    for index, target in targets:
        if target not in starts:
            inside = 0 <= target < len(instructions)
            raise _wrong(index, f"jumps into the 64 bit constant at {target - 1}" if inside else f"jumps to {target}")
    if opcode is None or opcode.name not in _NEVER_GO_ON:
        raise _wrong(max(starts), "is the last one, and neither an exit nor a jump")


def target_distance(instruction: Instruction, opcode: Opcode) -> int | None:
    """Returns the distance of an instruction's target, counted from the instruction that follows it; None when it has
    none."""
    if opcode.name in ("gotol", "call_local", "ld_function"):
        return instruction.imm
    if instruction.opcode_class in _JUMP_CLASSES and instruction.operation not in (Jump.CALL, Jump.EXIT):
        return instruction.off
    return None


def _opcode(index: int, instruction: Instruction, release: Release) -> Opcode:
    opcode = find(instruction)
    if opcode is None:
        raise _wrong(index, f"has an undefined opcode: {instruction.code:02x}")
    if opcode.since > release:
        came, era = ".".join(map(str, opcode.since)), ".".join(map(str, release))
        raise _wrong(index, f"is {opcode.name}, which came with {came}; the era is {era}")
    return opcode


def _wrong(index: int, what: str, remedy: str = "") -> UserError:
    return UserError(f"instruction {index} {what}", remedy=remedy)
