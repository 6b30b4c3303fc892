# SPDX-License-Identifier: MIT
"""The state of a running program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, STACK_SIZE
from harness.model.memory import Region
from harness.model.rules import FunctionFault
from harness.model.unpredictable import Unpredictable
from harness.model.value import Pointer, Value, unknown

if TYPE_CHECKING:
    from harness.model.choices import Choices
    from harness.model.interface.objects import LoadedProgram
    from harness.model.maps import Map


class HelperCall(Protocol):
    """The helpers that programs call. `faults_of_functions` are the errors that the kernel is taken to have."""

    faults_of_functions: frozenset[FunctionFault]

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


class Resumed(Exception):
    """A function that was left by a tail call returns to the program that called it. It is always caught in the
    interpreter."""


class State:
    """Registers, program counter and stack of one run. `pc` is the index of the next instruction, `tail_calls` how many
    tail calls count against the limit, in whatever frame; `choices` decide comparisons that cannot be known. `code` is
    the running program's, `depth` the number of its functions that are under way, and `callers` what they return to.
    `astray` is whether one of its functions ended in a way that the verifier overlooked, where such errors are
    supposed.
    """

    __slots__ = (
        "astray",
        "callers",
        "choices",
        "code",
        "depth",
        "helper",
        "instructions",
        "maps",
        "packet",
        "pc",
        "registers",
        "tail_calls",
    )

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
        self.callers: list[Frame] = []
        self.code: Code = ()
        self.tail_calls = 0
        self.begin(instructions, maps, context)

    def begin(self, instructions: tuple[Instruction, ...], maps: Mapping[int, Map], context: Value) -> None:
        """Starts a program, which may read nothing of what another one left."""
        self.instructions = instructions
        self.maps = maps
        self.pc = 0
        self.depth = 0
        self.astray = False
        # __bpf_prog_run() of 4.1 clears R0 and R7; verified programs cannot tell.
        self.registers: list[Value] = [GARBAGE] * 11
        self.registers[1] = context
        self.registers[FRAME_POINTER] = new_stack()


class Frame(NamedTuple):
    """What a call of a function returns to: R6 to R10, the next instruction, and the program, which is another one
    when the function was left by a tail call; `depth` and `tail_calls` as in `State`, at the call."""

    pc: int
    registers: list[Value]
    depth: int
    code: Code
    instructions: tuple[Instruction, ...]
    maps: Mapping[int, Map]
    tail_calls: int


def new_stack() -> Pointer:
    """Returns the frame pointer of a new frame: the end of its stack."""
    return Pointer(Region("the stack", STACK_SIZE, alignment=8, garbage="stack nobody wrote"), STACK_SIZE)


Handler = Callable[[State, Instruction], Value | None]
"""Executes one instruction; `pc` is already the next one's. A result ends the program with it."""

Code = Sequence[tuple[Handler, Instruction]]
"""A program, each instruction with its function."""
