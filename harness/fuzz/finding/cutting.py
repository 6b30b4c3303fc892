# SPDX-License-Identifier: MIT
"""Scripts with something left out: operations, instructions of programs, or the size of numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Jump
from harness.script.malformed import Malformed
from harness.script.operations import LoadProgram, Program, Script

_FUNCTION = 1
"""`src` of a call: BPF_PSEUDO_CALL."""


@dataclass(frozen=True)
class Place:
    """What can be left out: operation `operation`, or of the program that it loads the instructions `instructions`,
    which are one, or both halves of a constant."""

    operation: int
    instructions: tuple[int, ...] = ()


def operations(script: Script) -> list[Place]:
    """Returns every operation."""
    return [Place(index) for index in range(len(script.operations))]


def instructions(script: Script) -> list[Place]:
    """Returns every instruction of every program, the last ones first, since what comes before them is needed for
    them."""
    return [place for index, load in reversed(loads(script)) for place in reversed(list(_units(index, load.program)))]


def without(script: Script, places: Collection[Place]) -> Script | None:
    """Returns the script without these; jumps to what is gone lead to what follows. None where there is no such
    script: where operations refer to what is gone, or programs end too early."""
    gone = {place.operation for place in places if not place.instructions}
    kept: list[Any] = []
    for index, operation in enumerate(script.operations):
        cut = {at for place in places if place.operation == index for at in place.instructions}
        if index in gone:
            continue
        if cut and isinstance(operation, LoadProgram):
            program = rewritten(operation.program, dict.fromkeys(cut, ()))
            if program is None:
                return None
            operation = replace(operation, program=program)
        kept.append(operation)
    return rebuilt(script, tuple(kept))


def rebuilt(script: Script, kept: tuple[Any, ...]) -> Script | None:
    """Returns the script with other operations, None where they make no sense."""
    try:
        return Script(script.name, script.sentence, kept, needs=script.needs) if kept else None
    except Malformed:
        return None


def with_program(script: Script, index: int, program: Program | None) -> Script | None:
    """Returns the script with another program in operation `index`; None where there is no such script."""
    load = script.operations[index]
    if program is None or not isinstance(load, LoadProgram):
        return None
    changed = replace(load, program=program)
    return rebuilt(script, (*script.operations[:index], changed, *script.operations[index + 1 :]))


def simpler(script: Script) -> Iterator[Script]:
    """Yields the script with one number of one instruction made smaller."""
    for index, load in loads(script):
        program = load.program
        for at, instruction in enumerate(program.instructions):
            for other in _simpler(instruction, at, program):
                changed = (*program.instructions[:at], other, *program.instructions[at + 1 :])
                made = with_program(script, index, replace(program, instructions=changed))
                if made:
                    yield made


def _simpler(instruction: Instruction, at: int, program: Program) -> Iterator[Instruction]:
    """A smaller `imm`, unless it is a descriptor, a helper or the distance of a jump."""
    wide = instruction.code == LD_IMM64 and instruction.src
    if wide or at in dict(program.maps) or instruction.opcode_class in (Class.JMP, Class.JMP32):
        return
    for imm in (0, 1, -1):
        if instruction.imm == imm:
            return
        yield replace(instruction, imm=imm)


def size(script: Script) -> int:
    """Returns the number of instructions of all programs."""
    return sum(len(load.program.instructions) for _, load in loads(script))


def loads(script: Script) -> list[tuple[int, LoadProgram]]:
    """Returns the operations that load programs, with their indices."""
    return [(index, one) for index, one in enumerate(script.operations) if isinstance(one, LoadProgram)]


def _units(operation: int, program: Program) -> Iterator[Place]:
    at = 0
    while at < len(program.instructions):
        length = 2 if program.instructions[at].code == LD_IMM64 else 1
        yield Place(operation, tuple(range(at, min(at + length, len(program.instructions)))))
        at += length


def rewritten(program: Program, edits: Mapping[int, Sequence[Instruction]]) -> Program | None:
    """Returns the program with other instructions in the place of some, which may be none, its distances, maps and
    functions by the new indices; jumps to what is gone lead to what follows. None where a jump would lead behind the
    end, or nothing is left. What is put there does not jump."""
    number, length = len(program.instructions), 0
    new = []
    for at in range(number + 1):
        new.append(length)
        length += len(edits[at]) if at in edits else at < number
    kept: list[Instruction] = []
    for at, instruction in enumerate(program.instructions):
        if at in edits:
            kept += edits[at]
            continue
        name = distance(instruction)
        if name:
            target = at + 1 + getattr(instruction, name)
            if 0 <= target <= number:
                if new[target] == length:
                    return None
                instruction = replace(instruction, **{name: new[target] - new[at] - 1})
        kept.append(instruction)
    maps = tuple((new[at], reference) for at, reference in program.maps if at not in edits)
    # Of a function that is gone the name is that of the next one, and of the last one there is none.
    functions = {new[at]: name for at, name in program.functions if new[at] < length}
    return Program(tuple(kept), maps, tuple(functions.items())) if kept else None


def distance(instruction: Instruction) -> str:
    """Returns the field that says where an instruction leads; empty for none."""
    if instruction.opcode_class not in (Class.JMP, Class.JMP32) or instruction.operation == Jump.EXIT:
        return ""
    if instruction.operation == Jump.CALL:
        return "imm" if instruction.src == _FUNCTION and instruction.opcode_class is Class.JMP else ""
    if instruction.operation == Jump.JA and instruction.opcode_class is Class.JMP32:
        return "imm"
    return "off"
