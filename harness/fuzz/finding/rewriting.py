# SPDX-License-Identifier: MIT
"""Scripts that may show the same in another way, with fewer instructions: numbers for what was computed, the stack for
what was loaded, a filter for a probe, and a verdict for what a map holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from harness.fuzz.draw import PACKET
from harness.fuzz.finding.cutting import distance, loads, rebuilt, rewritten, with_program
from harness.fuzz.finding.values import Values
from harness.isa.assemble import DW, and64_imm, exit_, ld_imm64, mov64_imm, mov64_reg, rsh64_imm, stx
from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, LD_IMM64, R0, Alu, Class, Jump, Mode, Source
from harness.script.operations import (
    Attach,
    CreateKprobe,
    OpenEvent,
    Program,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    Trigger,
)

Edits = Mapping[int, Sequence[Instruction]]
_COMPUTED = (Class.ALU, Class.ALU64, Class.LDX)
_MOV = Class.ALU64 | Alu.MOV | Source.K
_COPY = Class.ALU64 | Alu.MOV | Source.X
_CALL = Class.JMP | Jump.CALL
_SHIFTS = (0, 8, 16, 24, 32, 40, 48, 56)
"""The places at which a part of a number may differ, as a filter tells it: by how long it lets a packet be."""
_PLACES = (-512, -8)
"""Where on the stack a number may be put that was loaded from elsewhere; keys of maps are at -4."""
_GUESSES = (0, 1, -1)
_CONSTANTS = (0, 1, -1, 2, -2)


def as_filters(script: Script) -> Iterator[Script]:
    """Yields the script with a socket filter in the place of a program on a probe: a packet runs it where the trigger
    did."""
    kept = [one for one in script.operations if not isinstance(one, CreateKprobe | OpenEvent | Attach)]
    for _, load in loads(script):
        if load.type is ProgramType.KPROBE and any(isinstance(one, Trigger) for one in kept):
            run, loaded = RunSocketFilter(Ref(load.name), PACKET), replace(load, type=ProgramType.SOCKET_FILTER)
            made = rebuilt(
                script,
                tuple(run if isinstance(one, Trigger) else loaded if one is load else one for one in kept),
            )
            if made:
                yield made


def with_verdicts(script: Script) -> Iterator[Script]:
    """Yields the script with a filter that returns what one instruction computes or stores, or a part of that, and ends
    there, at the first instructions first."""
    for index, load in loads(script):
        program = load.program
        for at, instruction in enumerate(program.instructions if load.type is ProgramType.SOCKET_FILTER else ()):
            stores = instruction.opcode_class is Class.STX and instruction.mode == Mode.MEM
            if not stores and instruction.opcode_class not in _COMPUTED:
                continue
            rest = dict.fromkeys(range(at + 1, len(program.instructions)), ())
            begins = () if stores else (instruction,)
            told = mov64_reg(R0, instruction.src if stores else instruction.dst)
            for shift in _SHIFTS:
                part = (rsh64_imm(R0, shift),) if shift else ()
                for end in ((), (and64_imm(R0, len(PACKET) - 1),)):
                    edits = {**rest, at: (*begins, told, *part, *end, exit_())}
                    yield from _rewritten(script, index, program, edits)


def without_functions(script: Script) -> Iterator[Script]:
    """Yields the script without one of its programs' own functions, and without the calls of it."""
    for index, load in loads(script):
        program = load.program
        targets = {
            at: at + 1 + instruction.imm
            for at, instruction in enumerate(program.instructions)
            if distance(instruction) == "imm" and instruction.operation == Jump.CALL
        }
        begins = sorted(set(targets.values()))
        for first, behind in pairwise((*begins, len(program.instructions))):
            calls = [at for at, target in targets.items() if target == first]
            yield from _rewritten(script, index, program, dict.fromkeys((*range(first, behind), *calls), ()))


def without_copies(script: Script) -> Iterator[Script]:
    """Yields the script with R0 in the place of a register that is copied there."""
    for index, load in loads(script):
        for at, copy in enumerate(load.program.instructions):
            if copy.code == _COPY and copy.dst == R0 and copy.src != FRAME_POINTER:
                renamed = tuple([_renamed(one, copy.src) for one in load.program.instructions])
                yield from _rewritten(script, index, replace(load.program, instructions=renamed), {at: ()})


def from_the_stack(script: Script, values: Values) -> Iterator[Script]:
    """Yields the script with a load of the same number from the stack. There are no values for several programs."""
    for index, load in loads(script):
        for at, value in values.items():
            one = load.program.instructions[at]
            if one.opcode_class is Class.LDX and one.src != FRAME_POINTER and one.mode == Mode.MEM:
                for place in _PLACES:
                    there = (*_number(one.dst, value), stx(DW, FRAME_POINTER, place, one.dst))
                    edits = {at: (*there, replace(one, src=FRAME_POINTER, off=place))}
                    yield from _rewritten(script, index, load.program, edits)


def with_guesses(script: Script) -> Iterator[Script]:
    """Yields the script with 0, 1 or the greatest number in the place of what one instruction computed, loaded or got
    from a helper, whatever that was: addresses are numbers, too, and of some programs nothing is predicted."""
    for index, load in loads(script):
        for at, one in enumerate(load.program.instructions):
            called = one.code == _CALL and not one.src
            if called or (one.opcode_class in _COMPUTED and one.code != _MOV):
                for guess in _GUESSES:
                    edits = {at: (mov64_imm(R0 if called else one.dst, guess),)}
                    yield from _rewritten(script, index, load.program, edits)


def with_small_constants(script: Script) -> Iterator[Script]:
    """Yields the script with a constant of one instruction in the place of one that takes two."""
    for index, load in loads(script):
        for at, one in enumerate(load.program.instructions):
            if one.code == LD_IMM64 and not one.src:
                for imm in _CONSTANTS:
                    yield from _rewritten(script, index, load.program, {at: (mov64_imm(one.dst, imm),), at + 1: ()})


def numbers(script: Script, values: Values) -> Edits:
    """Returns, by the index of an instruction that computed or loaded a number, what gives the same number at once."""
    found: dict[int, Sequence[Instruction]] = {}
    for _, load in loads(script):
        for at, value in values.items():
            one = load.program.instructions[at]
            given = _number(one.dst, value)
            if one.code == LD_IMM64 and not one.src:
                if len(given) == 1:
                    found |= {at: given, at + 1: ()}
            elif one.opcode_class in _COMPUTED and one.code != _MOV:
                found[at] = given
    return found


def with_edits(script: Script, edits: Edits) -> Script | None:
    """Returns the script with some of what `numbers` gave."""
    ((index, load),) = loads(script)
    return with_program(script, index, rewritten(load.program, edits))


def _renamed(one: Instruction, register: int) -> Instruction:
    """Returns the instruction with R0 in the place of a register, which `src` is not in constants and calls."""
    named = one.code not in (LD_IMM64, _CALL)
    dst, src = (R0 if number == register else number for number in (one.dst, one.src))
    return replace(one, dst=dst, src=src if named else one.src)


def _rewritten(script: Script, index: int, program: Program, edits: Edits) -> Iterator[Script]:
    made = with_program(script, index, rewritten(program, edits))
    if made:
        yield made


def _number(register: int, value: int) -> Sequence[Instruction]:
    signed = value - (value >> 63 << 64)
    return (mov64_imm(register, signed),) if -(1 << 31) <= signed < 1 << 31 else ld_imm64(register, value)
