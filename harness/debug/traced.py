# SPDX-License-Identifier: MIT
"""The model's runs of a script, as data for gdb."""

from __future__ import annotations

from collections.abc import Iterator

from harness.debug.inside.data import RunData, StepData, ValueData
from harness.isa.instruction import Instruction
from harness.lockstep.expected import ModelRun, Stack, trace
from harness.model.environment import Environment
from harness.model.value import M64, Partial, Pointer, Value
from harness.script.operations import LoadProgram, RunThreads, Script

MOST_STEPS = 20_000
"""The steps that are kept for gdb; each is about two kilobytes of text."""
_WORD = 8


def runs(environment: Environment, script: Script) -> tuple[list[RunData], str]:
    """Returns the model's runs of a script's programs; none, and the reason, where it has no one order for them."""
    if any(isinstance(operation, RunThreads) for operation in script.operations):
        return [], "its programs run in several threads at once, for which the model has no one order"
    programs = [one.program.instructions for one in script.operations if isinstance(one, LoadProgram)]
    found, left = [], MOST_STEPS
    regions = _Regions()
    for one in trace(environment, script).runs:
        left -= len(one.steps)
        if left < 0:
            break
        found.append(RunData(programs.index(one.program), list(_steps(one, programs, regions)), one.stop))
    return found, "" if found else "it runs none of the script's programs"


class _Regions:
    """Numbers for regions, each kept so that no other one takes its identity."""

    def __init__(self) -> None:
        self._numbers: dict[int, tuple[object, int]] = {}

    def number(self, region: object) -> int:
        return self._numbers.setdefault(id(region), (region, len(self._numbers)))[1]


def _steps(run: ModelRun, programs: list[tuple[Instruction, ...]], regions: _Regions) -> Iterator[StepData]:
    for one in run.steps:
        registers = [_value(value, regions) for value in one.step.before]
        stack = list(_known(one.stack)) if one.stack is not None else []
        yield StepData(programs.index(one.step.program), one.step.pc, registers, stack)


def _value(value: Value, regions: _Regions) -> ValueData:
    if isinstance(value, int):
        return ValueData(f"{value:#x}", value)
    if isinstance(value, Pointer):
        return ValueData(f"{value.region.name}{value.offset:+d}", value.offset, region=regions.number(value.region))
    assert isinstance(value, Partial)
    known = ~value.mask & M64
    text = f"{value.value:#x} in the bits {known:#x}" if known else f"? ({value.why})"
    return ValueData(text, value.value, value.mask)


def _known(stack: Stack) -> Iterator[tuple[int, str]]:
    """Yields the known bytes in each word of a stack, by their distance from its top."""
    content, unknown = stack.content, stack.unknown
    for start in range(0, len(content), _WORD):
        at = start
        while at < start + _WORD:
            end = at
            while end < start + _WORD and not unknown[end]:
                end += 1
            if end > at:
                yield at - len(content), content[at:end].hex()
            at = end + 1
