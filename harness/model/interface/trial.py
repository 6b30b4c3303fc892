# SPDX-License-Identifier: MIT
"""Trials of a program before it is loaded, with inputs that it may be given: which instructions it carries out.

A verifier that is right comes to each of them, whatever it knows of the program and whichever paths it leaves out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, Class, Helper, Jump, Mode, Source
from harness.lane import Engine
from harness.model.choices import Choices, explore
from harness.model.environment import Environment
from harness.model.helpers import Helpers
from harness.model.interface.inputs import Inputs
from harness.model.interpreter import Interpreter
from harness.model.maps import Map
from harness.model.memory import Region
from harness.model.state import Handler, State
from harness.model.value import M32, M64, Pointer, Value

if TYPE_CHECKING:
    from harness.model.interface.objects import LoadedProgram

_EQUALITIES = frozenset({Class.JMP | Jump.JEQ | Source.K, Class.JMP | Jump.JNE | Source.K})
_JUMPS = frozenset({Class.JMP.value, Class.JMP32.value})
_NO_COMPARISONS = frozenset({Jump.JA.value, Jump.CALL.value, Jump.EXIT.value, Jump.JCOND.value})
_NUMBERS = {
    Helper.KTIME_GET_NS: M64,
    Helper.GET_PRANDOM_U32: M32,
    Helper.GET_CURRENT_PID_TGID: M64,
    Helper.GET_CURRENT_UID_GID: M64,
}
"""Helpers of whose numbers verifiers know nothing but these bits."""
_MOST_COMPARISONS = 4096
"""How many comparisons of a trial are kept."""


@dataclass(frozen=True)
class Comparison:
    """A conditional jump at `index`, carried out in a trial: with which operands, and whether it was `taken`."""

    index: int
    left: Value
    right: Value
    taken: bool


class Arrived(Exception):
    """A trial has come to an instruction that was looked for."""


class Exhausted(Exception):
    """No more trials are made."""


class Trials:
    """Trials of one program with maps of its own; the `wanted` instructions are not carried out."""

    def __init__(
        self,
        environment: Environment,
        program: tuple[Instruction, ...],
        maps: Mapping[int, Map],
        wanted: Collection[int],
        most: int,
    ) -> None:
        """Takes maps by the index of the instruction that loads them; they are not touched. `most` trials are made."""
        self.program = program
        self._left = most
        self.inputs = Inputs(environment, program, maps)
        self._interpreter, self._helpers = _machine(environment)
        self._comparisons: list[Comparison] = []
        self._made: dict[bytes, Sequence[Comparison]] = {}
        """The comparisons by the input: a search asks for many inputs again, from which it changes something else."""
        self._code = [
            (_arrive if index in wanted else self._watched(index, insn, handler), insn)
            for index, (handler, insn) in enumerate(self._interpreter.compile(program))
        ]

    def run(self, given: bytes) -> Sequence[Comparison]:
        """Runs the program with the input, and returns the comparisons that it makes, in order; raises Exhausted, or
        Arrived, where comparisons of addresses have an unknown result only if it arrives whichever they have."""
        if not self._left:
            raise Exhausted
        self._left -= 1
        if given not in self._made:
            self._comparisons.clear()
            if all(explore(partial(self._arrives, given))):
                raise Arrived
            self._made[given] = tuple(self._comparisons)
        return self._made[given]

    def visits(self, given: bytes) -> frozenset[int]:
        """Runs the program with the input, and returns the instructions that it carries out, up to where it is astray
        or nobody knows what it does."""
        context, maps, packet, numbers = self.inputs.unpack(given)
        state = State(self.program, maps, context, _Answering(self._helpers, numbers), packet)
        visited: set[int] = set()
        self._interpreter.run(self._code, state, lambda step: None if state.astray else visited.add(step.pc))
        return frozenset(visited)

    def _arrives(self, given: bytes, choices: Choices | None) -> bool:
        context, maps, packet, numbers = self.inputs.unpack(given)
        state = State(self.program, maps, context, _Answering(self._helpers, numbers), packet, choices)
        try:
            self._interpreter.run(self._code, state)
        except Arrived:
            return not state.astray
        return False

    def equalities(self) -> Sequence[int]:
        """Returns the numbers that the program compares for equality, which open most ways."""
        return tuple(dict.fromkeys(insn.imm & M64 for insn in self.program if insn.code in _EQUALITIES))

    def _watched(self, index: int, insn: Instruction, handler: Handler) -> Handler:
        if insn.opcode_class == Class.LDX and insn.mode == Mode.MEM:
            return partial(_load, handler)
        if insn.opcode_class not in _JUMPS or insn.operation in _NO_COMPARISONS:
            return handler
        return partial(_watch, self._comparisons, index, handler)


def _watch(
    comparisons: list[Comparison], index: int, handler: Handler, state: State, insn: Instruction
) -> Value | None:
    left = state.registers[insn.dst]
    right = state.registers[insn.src] if insn.source is Source.X else insn.imm & M64
    result = handler(state, insn)
    if len(comparisons) < _MOST_COMPARISONS:
        comparisons.append(Comparison(index, left, right, state.pc != index + 1))
    return result


def _load(handler: Handler, state: State, insn: Instruction) -> Value | None:
    """Loads; what a program stored in memory that others share may be another number by then."""
    base = state.registers[insn.src]
    result = handler(state, insn)
    shared = isinstance(base, Pointer) and base.region not in _stacks(state)
    if shared and not isinstance(state.registers[insn.dst], int):
        assert isinstance(state.helper, _Answering)
        state.registers[insn.dst] = state.helper.number() & ((1 << 8 * insn.size.nbytes) - 1)
    return result


def _stacks(state: State) -> Sequence[Region]:
    pointers = (state.registers[FRAME_POINTER], *(frame.registers[-1] for frame in state.callers))
    return [pointer.region for pointer in pointers if isinstance(pointer, Pointer)]


def _arrive(*_: object) -> None:
    raise Arrived


@lru_cache(maxsize=16)
def _machine(environment: Environment) -> tuple[Interpreter, Helpers]:
    """All helpers can be called: whether the engine makes the calls is asked when the verifier has come through."""
    return Interpreter(environment.rules), Helpers(replace(environment, engine=Engine.JIT))


class _Answering:
    """Helpers that give numbers of the input where nobody knows what they give."""

    def __init__(self, helpers: Helpers, numbers: Sequence[int]) -> None:
        self._helpers = helpers
        self.faults_of_functions = helpers.faults_of_functions
        self._numbers = numbers
        self._given = 0

    def __call__(self, number: int, *arguments: Value) -> Value:
        if number not in _NUMBERS:
            return self._helpers(number, *arguments)
        return self.number() & _NUMBERS[Helper(number)]

    def number(self) -> int:
        """Returns the next number of the input."""
        self._given += 1
        return self._numbers[self._given % len(self._numbers)]

    def tail_call(self, map: Value, index: Value, made: int) -> tuple[LoadedProgram | None, int]:
        return self._helpers.tail_call(map, index, made)
