# SPDX-License-Identifier: MIT
"""Records as the guest of an interpreter lane writes them, made from the model's own trace: a guest that does as it
should."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from harness.isa.instruction import SIZE, Instruction
from harness.isa.opcodes import STACK_SIZE, Helper
from harness.lockstep.actual import LOCAL, GuestProgram, GuestRun, interpreted
from harness.lockstep.checking import Checked, compare
from harness.lockstep.expected import ModelRun, ModelStep, Stack, trace
from harness.lockstep.inside import CALL, CALL_ARGS, TAIL_CALL
from harness.lockstep.recording import Recorded
from harness.lowering.executor import Observed
from harness.lowering.watch import LoadedCode
from harness.model.environment import Environment
from harness.model.instructions.table import Table
from harness.model.memory import Region
from harness.model.value import M64, Partial, Pointer, Value
from harness.script.operations import LoadProgram, Script
from hil.recorder import Record

LABELS = tuple(0xFFFF_FFFF_8100_0000 + 64 * code for code in range(256))
_GARBAGE = 0x5A5A_0000_0000_0001


class Pretended:
    """Gives every region an address, and every program one for its instructions."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.loads = [one for one in script.operations if isinstance(one, LoadProgram)]
        self._programs: dict[tuple[Instruction, ...], int] = {}
        self._regions: dict[int, tuple[Region, int]] = {}
        self._order = count()

    def programs(self) -> list[GuestProgram]:
        return [GuestProgram(one.name, one.program.instructions, LoadedCode(one.name)) for one in self.loads]

    def records(self, runs: Sequence[ModelRun]) -> list[Record]:
        return [self._record(step) for run in runs for step in run.steps]

    def _record(self, step: ModelStep) -> Record:
        where = self._programs.setdefault(step.step.program, 0xFFFF_C900_0000_0000 + 0x10_0000 * len(self._programs))
        code = b"".join(one.encode() for one in step.step.program[step.step.pc : step.step.pc + 2]).ljust(16, b"\0")
        instruction = step.step.instruction
        if instruction.code == CALL and instruction.src == LOCAL:
            code = bytes([CALL_ARGS]) + code[1:]
        if instruction.code == CALL and instruction.src != LOCAL and instruction.imm == Helper.TAIL_CALL:
            code = bytes([TAIL_CALL]) + code[1:]
        registers = [self._number(value) for value in step.step.before]
        content, unknown, parts = step.stack or Stack(bytes(STACK_SIZE), b"\1" * STACK_SIZE, {})
        stack = bytearray(0x5A if hidden else byte for byte, hidden in zip(content, unknown, strict=True))
        for place, (value, part) in parts.items():
            stack[place] = self._number(value) >> 8 * part & 0xFF
        words = (
            LABELS[code[0]],
            where + SIZE * step.step.pc,
            0xFFFF_C900_FFFF_0000,
            *_words(code),
            *registers,
            *_words(bytes(stack)),
        )
        return Record(next(self._order), 0, 0, False, frozenset(), words)

    def _number(self, value: Value) -> int:
        if isinstance(value, Pointer):
            at = 0xFFFF_8880_0000_0000 + 0x1_0000 * len(self._regions)
            _, base = self._regions.setdefault(id(value.region), (value.region, at))
            return base + value.offset & M64
        return value.value | _GARBAGE & value.mask if isinstance(value, Partial) else value


def _words(content: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(content[at : at + 8], "little") for at in range(0, len(content), 8))


def pretend(environment: Environment, script: Script) -> Recorded:
    """What a guest that does as the model says is recorded to do."""
    pretended = Pretended(script)
    programs = pretended.programs()
    runs = interpreted(pretended.records(trace(environment, script).runs), programs, LABELS)
    return Recorded(Observed(script, (), 0.0), tuple(programs), tuple(runs))


def held_against(environment: Environment, script: Script, instructions: Table) -> Checked:
    """Such a guest, compared with a model with other instructions."""
    return compare(environment, script, pretend(environment, script), instructions)


__all__ = ["LABELS", "GuestRun", "Pretended", "held_against", "pretend"]
