# SPDX-License-Identifier: MIT
"""The model's trace of a script: every program run, instruction by instruction, with the stack as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, Helper
from harness.lockstep.inside import CALL
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.instructions.table import Table
from harness.model.interpreter import Step
from harness.model.memory import Region
from harness.model.value import Pointer, Value
from harness.script.operations import Script
from harness.script.outcome import Outcome, Prediction


class Stack(NamedTuple):
    """A frame's stack: its bytes, for each of them 1 when it is not a known number (`Region.image`), and what these are
    parts of, by their place (`Region.parts`)."""

    content: bytes
    unknown: bytes
    parts: Mapping[int, tuple[Value, int]]

    @classmethod
    def of(cls, region: Region) -> Stack:
        return cls(*region.image(), region.parts())


@dataclass(frozen=True)
class ModelStep:
    """One step, and the frame's stack before it; None where the frame has just been made and nothing is known of it."""

    step: Step
    stack: Stack | None


@dataclass
class ModelRun:
    """One run of a program, to its end, and of those that took over by tail calls. `program` has the instructions of
    the one that began."""

    program: tuple[Instruction, ...]
    steps: list[ModelStep] = field(default_factory=list)

    @property
    def stop(self) -> str:
        """Returns why the model could not go on; empty when the program ended."""
        return self.steps[-1].step.stop


class Trace:
    """Receives the model's steps. Call it as the executor's sink."""

    def __init__(self) -> None:
        self.runs: list[ModelRun] = []
        self._stacks: dict[int, tuple[Region, Stack]] = {}
        """By region, which is kept so that no other one takes its identity."""
        self._tail_called = False

    def __call__(self, step: Step) -> None:
        if step.first and not self._tail_called:
            self.runs.append(ModelRun(step.program))
            self._stacks.clear()
        stack = step.before[FRAME_POINTER]
        region = stack.region if isinstance(stack, Pointer) else None
        _, before = self._stacks.get(id(region), (None, None))
        self.runs[-1].steps.append(ModelStep(step, before))
        self._tail_called = step.next is None and not step.stop and _may_tail_call(step.instruction)
        if region is not None:
            self._stacks.setdefault(id(region), (region, Stack.of(region)))
        # A function may write to its callers' stacks.
        self._stacks = {number: (one, Stack.of(one)) for number, (one, _) in self._stacks.items()}


def _may_tail_call(instruction: Instruction) -> bool:
    return instruction.code == CALL and instruction.imm == Helper.TAIL_CALL


class Traced(NamedTuple):
    """The model's runs of a script's programs, in their order, and its predictions of the operations."""

    runs: list[ModelRun]
    predictions: list[Prediction]


def trace(
    environment: Environment, script: Script, seen: Sequence[Outcome] = (), instructions: Table | None = None
) -> Traced:
    """Carries out a script in the model; `seen` are the guest's outcomes, by which the model knows what a kernel
    accepted. A fault is planted by `instructions` (`harness.model.executor`)."""
    sink = Trace()
    predictions = ModelExecutor(environment, instructions, sink).run(script, None, seen)
    return Traced(sink.runs, predictions)
