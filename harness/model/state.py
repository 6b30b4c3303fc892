# SPDX-License-Identifier: MIT
"""The state of a running program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, STACK_SIZE
from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.model.value import Pointer, Value, unknown

if TYPE_CHECKING:
    from harness.model.choices import Choices
    from harness.model.interface.objects import LoadedProgram
    from harness.model.maps import Map


class HelperCall(Protocol):
    """The helpers that programs call."""

    def __call__(self, number: int, *arguments: Value) -> Value:
        """Calls a helper, by its id and R1..R5; returns the new R0."""

    def tail_call(self, map: Value, index: Value, made: int) -> tuple[LoadedProgram | None, int]:
        """Returns the program that a run which made `made` tail calls goes on with, None when it stays, and the new
        count of tail calls."""


GARBAGE = unknown("a register nobody wrote")


class Undefined(Unpredictable):
    """The program did what neither C nor the era defines."""


class TailCall(Exception):
    """The run goes on with another program. It is always caught in the interpreter."""

    def __init__(self, program: LoadedProgram) -> None:
        super().__init__(program)
        self.program = program


class State:
    """Registers, program counter and stack of one run. `pc` is the index of the next instruction, `tail_calls` how many
    tail calls count against the limit; `choices` decide comparisons that cannot be known."""

    __slots__ = ("callers", "choices", "helper", "instructions", "maps", "packet", "pc", "registers", "tail_calls")

    def __init__(
        self,
        instructions: tuple[Instruction, ...],
        maps: Mapping[int, Map],
        context: Value,
        helper: HelperCall,
        packet: bytes | None = None,
        choices: Choices | None = None,
    ) -> None:
        self.choices = choices
        self.helper = helper
        self.packet = packet
        self.callers: list[tuple[int, list[Value]]] = []
        self.tail_calls = 0
        self.begin(instructions, maps, context)

    def begin(self, instructions: tuple[Instruction, ...], maps: Mapping[int, Map], context: Value) -> None:
        """Starts a program, which may read nothing of what another one left."""
        self.instructions = instructions
        self.maps = maps
        self.pc = 0
        # __bpf_prog_run() of 4.1 clears R0 and R7; verified programs cannot tell.
        self.registers: list[Value] = [GARBAGE] * 11
        self.registers[1] = context
        self.registers[FRAME_POINTER] = new_stack()


def new_stack() -> Pointer:
    """Returns the frame pointer of a new frame: the end of its stack."""
    return Pointer(Region("the stack", STACK_SIZE, alignment=8, garbage="stack nobody wrote"), STACK_SIZE)


Handler = Callable[[State, Instruction], Value | None]
"""Executes one instruction; `pc` is already the next one's. A result ends the program with it."""
