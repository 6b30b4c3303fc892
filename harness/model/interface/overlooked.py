# SPDX-License-Identifier: MIT
"""Runs under a verifier that follows a function behind its tail call, or behind its load from the packet, only
(`FunctionFault`).

Where such an instruction ended a function, the run goes on where that verifier never was. What it knows of registers
and memory there is what it knows of runs that go on behind the instruction, and a jump of which it saw one side alone
always goes there: opt_hard_wire_dead_code_branches(), kernel/bpf/verifier.c (5.1 and later). It sees what such runs
come to, whatever they are given; of what none is found for, it is left open whether it sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from random import Random

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump
from harness.model.environment import Environment
from harness.model.interface.search import FIRST_TRIALS, reached
from harness.model.interface.trial import Trials
from harness.model.interpreter import Code
from harness.model.maps import Map
from harness.model.rules import FunctionFault
from harness.model.state import Handler, State
from harness.model.unpredictable import Unpredictable
from harness.model.value import Value

_TRIALS = 64
"""Inputs that are tried for an instruction that the first ones do not come to."""
REMOVING = frozenset({FunctionFault.RESULT_REMOVED, FunctionFault.PACKET_RESULT_REMOVED})
_JUMPS = frozenset({Class.JMP.value, Class.JMP32.value})
_UNCONDITIONAL = frozenset({Jump.JA.value, Jump.CALL.value, Jump.EXIT.value})


def with_jumps_removed(
    code: Code, environment: Environment, program: tuple[Instruction, ...], maps: Mapping[int, Map]
) -> Code:
    """Returns the program with conditional jumps as such a kernel leaves them; `maps` are keyed by the index of the
    instruction that loads them. One run of a script keeps the result: what is left open is decided once."""
    overlooked = _Overlooked(environment, program, maps)
    return [(partial(overlooked.jump, handler) if _is_conditional(insn) else handler, insn) for handler, insn in code]


def _is_conditional(insn: Instruction) -> bool:
    return insn.opcode_class in _JUMPS and insn.operation not in _UNCONDITIONAL


class _Overlooked:
    """What the verifier sees of one program."""

    def __init__(self, environment: Environment, program: tuple[Instruction, ...], maps: Mapping[int, Map]) -> None:
        self._environment = environment
        self._program = program
        self._maps = maps
        # A map that is constant, or may be, has its own content in a trial.
        shapes = (
            (at, one.type, one.key_size, one.value_size, one.max_entries, one if one.may_be_constant else None)
            for at, one in maps.items()
        )
        self._found = _found(environment, program, tuple(shapes))
        self._decided: dict[int, bool] = {}

    def jump(self, handler: Handler, state: State, insn: Instruction) -> Value | None:
        """Jumps; to the other side where the verifier did not see this one."""
        behind = state.pc
        result = handler(state, insn)
        if state.astray and insn.off and not self._sees(state, state.pc):
            state.pc = behind if state.pc != behind else behind + insn.off
        return result

    def _sees(self, state: State, index: int) -> bool:
        if index not in self._decided:
            self._decided[index] = self._comes_to(index) or _left_open(state, index)
        return self._decided[index]

    def _comes_to(self, index: int) -> bool:
        """Returns whether a trial comes to an instruction: the elements of its program arrays are empty, so that its
        tail calls fail, and what it comes to when it is astray does not count."""
        if not self._found:
            trials = Trials(self._environment, self._program, self._maps, (), 0)
            some = (
                trials.inputs.present(),
                *(trials.inputs.filled(0, Random(number)) for number in range(FIRST_TRIALS)),
            )
            self._found |= dict.fromkeys(frozenset().union(*map(trials.visits, some)), True)
        if index not in self._found:
            self._found[index] = reached(self._environment, self._program, self._maps, {index}, _TRIALS)
        return self._found[index]


@lru_cache(maxsize=64)
def _found(*_: object) -> dict[int, bool]:
    """Returns what was found of the instructions of a program, one dictionary for all of its runs with such maps."""
    return {}


def _left_open(state: State, index: int) -> bool:
    why = Unpredictable(f"whether a verifier that does not know what a function gives comes to instruction {index}")
    if state.choices is None:
        raise why
    return state.choices.choose(why)
