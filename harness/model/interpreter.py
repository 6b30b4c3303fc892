# SPDX-License-Identifier: MIT
"""Runs a program as kernel/bpf/core.c, __bpf_prog_run(), does, by the rules of one era."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial

from harness.isa.instruction import Instruction
from harness.isa.table import OPCODES, find
from harness.isa.text import shown
from harness.model.eras import Era
from harness.model.instructions.table import Table, instruction_table
from harness.model.memory import Fault
from harness.model.state import Code as Code
from harness.model.state import Handler, Resumed, State, TailCall, Undefined
from harness.model.unpredictable import Unpredictable
from harness.model.value import Value
from harness.script.reason import Gap

MOST_STEPS = 1_000_000
"""The most instructions that any verified program executes: BPF_COMPLEXITY_LIMIT_INSNS,
include/linux/bpf_verifier.h."""


class Stop(Enum):
    """The reason why a run has no result."""

    FAULT = "what no verified program does"
    UNDEFINED = "behaviour the era does not define"
    UNPREDICTABLE = "the run depends on a value the model cannot know"
    ENDLESS = "more instructions than any verified program takes"


@dataclass(frozen=True)
class Returned:
    """The program ended with `value`, 64 bits of R0 (or 0, in eras that end programs that divide by zero)."""

    value: Value


@dataclass(frozen=True)
class Stopped:
    """The run ended before the program did, at instruction `pc`."""

    stop: Stop
    why: str
    pc: int


Ended = Returned | Stopped


@dataclass(frozen=True)
class Step:
    """One executed instruction; registers R0 to R10 before and after it.

    `program` has the instructions of the program that it belongs to, `depth` is the number of callers in that program.
    `first` marks the first instruction of a run, and of a program that took over by a tail call; `next` is the
    instruction that follows, None where none of this program does; `stop` says why the model cannot go on.
    """

    pc: int
    instruction: Instruction
    before: tuple[Value, ...]
    after: tuple[Value, ...]
    program: tuple[Instruction, ...] = ()
    depth: int = 0
    first: bool = False
    next: int | None = None
    stop: str = ""


_SHARED = Counter(opcode.code for opcode in OPCODES)
_ALONE = {opcode.code: opcode.name for opcode in OPCODES if _SHARED[opcode.code] == 1}
"""Opcodes that `code` alone identifies, which are most."""


class _Endless(Exception):
    """The program executes more instructions than any verified one."""


Sink = Callable[[Step], None]


class Interpreter:
    """The interpreter of one era. `table` replaces the era's instruction table."""

    def __init__(self, era: Era, table: Table | None = None) -> None:
        self._table = instruction_table(era) if table is None else table
        self._alone = {code: self._table.get(name, _unknown) for code, name in _ALONE.items()}

    def compile(self, instructions: Sequence[Instruction]) -> Code:
        """Returns each instruction with its function; done once for a program, so that running it only follows a
        list."""
        alone, handler = self._alone.get, self._handler
        return [(alone(instruction.code) or handler(instruction), instruction) for instruction in instructions]

    def run(self, code: Code, state: State, sink: Sink | None = None) -> Ended:
        """Runs to the end. `sink` receives every instruction."""
        state.code = code
        follow = _follow if sink is None else partial(_follow_and_tell, sink=sink)
        try:
            while True:
                try:
                    return Returned(follow(state))
                except TailCall as change:
                    state.code = change.program.code
                    state.begin(change.program.instructions, change.program.maps, state.registers[1])
                except Resumed:
                    pass
        except Fault as fault:
            return Stopped(Stop.FAULT, fault.name, state.pc - 1)
        except Undefined as undefined:
            return Stopped(Stop.UNDEFINED, undefined.why, state.pc - 1)
        except Unpredictable as unpredictable:
            return Stopped(Stop.UNPREDICTABLE, unpredictable.why, state.pc - 1)
        except _Endless:
            return Stopped(Stop.ENDLESS, f"{MOST_STEPS} were carried out", state.pc)

    def _handler(self, instruction: Instruction) -> Handler:
        opcode = find(instruction)
        return self._table.get(opcode.name if opcode else "", _unknown)


def _follow(state: State) -> Value:
    code = state.code
    for _ in range(MOST_STEPS):
        pc = state.pc
        handler, instruction = code[pc]
        state.pc = pc + 1
        result = handler(state, instruction)
        if result is not None:
            return result
    raise _Endless


def _follow_and_tell(state: State, sink: Sink) -> Value:
    code = state.code
    for number in range(MOST_STEPS):
        pc, depth, program, first = state.pc, len(state.callers), state.instructions, not number and not state.pc
        handler, instruction = code[pc]
        before = tuple(state.registers)
        told = partial(Step, pc, instruction, before, program=program, depth=depth, first=first)
        state.pc += 1
        try:
            result = handler(state, instruction)
        except (TailCall, Resumed):
            sink(told(tuple(state.registers)))
            raise
        except (Fault, Unpredictable) as stopped:
            sink(told(tuple(state.registers), stop=str(stopped)))
            raise
        sink(told(tuple(state.registers), next=state.pc if result is None else None))
        if result is not None:
            return result
    raise _Endless


def _unknown(state: State, _: Instruction) -> Value | None:
    """Raises Unpredictable, also for the second half of an LD_IMM64, which is never executed by itself."""
    raise Unpredictable(f"the model has no rule for {shown(state.instructions, state.pc - 1)}", Gap.INSTRUCTIONS)
