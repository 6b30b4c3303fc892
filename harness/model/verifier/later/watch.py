# SPDX-License-Identifier: MIT
"""Observes 4.1's simulation, and finds what later verifiers would judge otherwise.

Later ones know more: they keep pointers that 4.1 forgets, compute with constants, and take only the side of a jump that
can be taken. So what 4.1 accepts they may refuse where a pointer was forgotten, and what 4.1 refuses they may never
reach. Both are noticed here; neither is decided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R1, R5, REGISTERS, Alu, Class, Coded, Helper, Jump, Mode, Source
from harness.model.value import M32
from harness.model.verifier.environment import Environment
from harness.model.verifier.later import pointers
from harness.model.verifier.later.feasible import Fact, anything, moved
from harness.model.verifier.later.functions import is_local
from harness.model.verifier.later.opcode_lowering import Translated
from harness.model.verifier.later.ways import ways
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_PTR_TO_MAP,
    FRAME_PTR,
    PTR_TO_CTX,
    PTR_TO_MAP_VALUE,
    PTR_TO_MAP_VALUE_OR_NULL,
    SPILL,
    Register,
    RegisterType,
    State,
)
from harness.model.verifier.verdict import Refused

# Plain numbers, for reaching a member of an enumeration is slow and this runs for every simulated instruction.
_LD, _LDX, _STX = Class.LD.value, Class.LDX.value, Class.STX.value
_ALU, _ALU64, _JMP = Class.ALU.value, Class.ALU64.value, Class.JMP.value
_MOV, _X, _IMM, _ATOMIC = Alu.MOV.value, Source.X.value, Mode.IMM.value, Mode.ATOMIC.value
_CALL, _EXIT, _JA = Jump.CALL.value, Jump.EXIT.value, Jump.JA.value
_JEQ, _JNE = Jump.JEQ.value, Jump.JNE.value

UNCHECKED = frozenset({Rule.ACCESS_UNCHECKED, Rule.ARGUMENT_UNCHECKED, Rule.UNCHECKED_ARITHMETIC})
"""Rules about what may be null."""
_POINTERS, _STACK = pointers.POINTERS, pointers.STACK
_FORGOTTEN = (FRAME_PTR, CONST_PTR_TO_MAP, PTR_TO_MAP_VALUE_OR_NULL)


class Branch(NamedTuple):
    """A pending branch: whether every verifier takes it, and what is known of registers there."""

    certain: bool
    facts: Mapping[int, Fact]


_UNCERTAIN = Branch(False, MappingProxyType({}))


class Watch:
    """`hazard` is the first thing that later verifiers may refuse, "" for none. `certain` is whether every verifier
    comes to the instruction under simulation: no jump passed that a better informed verifier might decide the other
    way. `resumed` is whether this is any path but the first. `reached` are the instructions that every verifier comes
    to. `checks_copies` is whether a lookup's result was compared with 0 while another
    register, or perhaps a caller, held one, too: if that is a copy, later verifiers know it is no null either (J-03).
    `passed_over` are refusals on paths that a later verifier refuses as well, or does not take.
    """

    def __init__(
        self,
        program: Sequence[Instruction],
        translated: Translated,
        *,
        knows_indices: bool = False,
    ) -> None:
        """Takes a program with the newer opcodes themselves, and as it is simulated; with `knows_indices` the verifier
        may know that an element of an array exists."""
        self._program = program
        self._ordered = translated.ordered
        self._signed = translated.signed
        self._knows_indices = knows_indices
        self._looks = [
            _LOOKS.get(insn.code) if insn.dst < REGISTERS and insn.src < REGISTERS else None
            for insn in translated.program
        ]
        """What is looked for at each instruction; fields that are out of order are left to the verifier."""
        self.hazard = ""
        self.certain = True
        self.resumed = False
        self._goes_on = True
        """Whether every verifier falls through the instruction simulated last."""
        self._branches: dict[int, Branch] = {}
        """The pending branches, by how many are beneath."""
        self.checks_copies = False
        self._simulated = [0] * len(program)
        """How often each instruction was simulated."""
        self.reached: set[int] = set()
        self._bases: dict[int, RegisterType] = {}
        self._facts: dict[int, Fact] = {}
        """What is known of registers, on a path that is certain."""
        self.passed_over: list[Refused] = []
        self._refused = [0] * len(program)
        """How often a path was passed over at each instruction."""
        self._left: defaultdict[int, list[State]] = defaultdict(list)
        """States, by the instruction, that were compared with others until a path was passed over."""
        self._leans = False
        """Whether one of them was covered by another that is not equal."""

    @property
    def refused(self) -> frozenset[int]:
        """The instructions at which no path goes on, and where a verifier that comes to them refuses the program."""
        times = enumerate(zip(self._refused, self._simulated, strict=True))
        return frozenset(index for index, (refused, simulated) in times if refused and refused == simulated)

    @property
    def refused_anywhere(self) -> frozenset[int]:
        """The instructions at which some path does not go on."""
        return frozenset(index for index, refused in enumerate(self._refused) if refused)

    def step(self, env: Environment, index: int, insn: Instruction, resumed: bool) -> None:
        """Observes one instruction. Most are on paths that are not certain, of which no facts are needed."""
        self._simulated[index] += 1
        if resumed:
            self.resumed = True
            self._goes_on, facts = self._branches[len(env.pending)]
            self._facts = dict(facts)
        self.certain = self._goes_on
        if self.certain:
            self.reached.add(index)
            if insn.dst < REGISTERS and insn.src < REGISTERS:
                self._learn(env, index, insn)
        look = self._looks[index]
        if look is not None:
            look(self, env, index, insn)

    def passes_over(self, env: Environment, refusal: Refused) -> bool:
        """Returns whether a verifier that takes this path, which not every one does, refuses the program for the same
        reason: then the other paths decide, if they say the same."""
        rule = refusal.rule
        open = rule in env.rules.lifted or rule is Rule.HELPER_NOT_OFFERED or (self.checks_copies and rule in UNCHECKED)
        if self.certain or self.hazard or open:
            return False
        self.passed_over.append(refusal)
        assert env.at is not None
        self._refused[env.at] += 1
        self._leave(env)
        return True

    def covered(self, by: State, now: State) -> None:
        """Notes whether what comes of a state is known from one that is not the same."""
        self._leans = self._leans or not by.equals(now)

    def comes_again(self, env: Environment, index: int, resumed: bool) -> bool:
        """Returns whether the same paths were followed from here before, also those that were passed over; but what is
        refused on a path that is certain is refused for good."""
        if not (states := self._left.get(index)):
            return False
        certain = self._branches[len(env.pending)].certain if resumed else self._goes_on
        if certain or not any(one.equals(env.state) for one in states):
            return False
        self._leave(env)  # the same is passed over from here
        return True

    def _leave(self, env: Environment) -> None:
        """Forgets the states on the way here, which are not shown to be safe, and cover no other but an equal one."""
        for index, states in env.explored.items():
            self._left[index] += states
            states.clear()
        if self._leans:  # on a state that is not there any more: perhaps not all that comes of the others was followed
            self._left.clear()
            self._leans = False

    def _may_end(self, env: Environment, follows: bool | None, result: Fact) -> None:
        """Observes an instruction that may end its function with a result: where verifiers follow that path, it comes
        first; None says that only some do."""
        if not env.state.callers or follows is False:
            return
        self._branches[len(env.pending)] = Branch(True, self._facts) if self.certain else _UNCERTAIN
        self._goes_on = self.certain and follows is True
        self._facts = {R0: result}

    def _learn(self, env: Environment, index: int, insn: Instruction) -> None:
        """Learns what is known of registers behind an instruction that is no comparison."""
        kind, facts = insn.opcode_class, self._facts
        if kind in (_ALU, _ALU64):
            fact = moved(self._program[index], facts)
            if fact is not None:
                facts[insn.dst] = fact
            else:
                facts.pop(insn.dst, None)
        elif kind == _LDX:
            facts.pop(insn.dst, None)
            base = env.state.registers[insn.src]
            constant = base.map is not None and base.map.constant  # a number that verifiers may know
            if base.type in (PTR_TO_CTX, PTR_TO_MAP_VALUE) and not constant and index not in self._signed:
                facts[insn.dst] = anything(8 * insn.size.nbytes)
        elif kind == _STX and index in env.fetches:
            facts.pop(env.fetches[index], None)
        elif kind == _JMP and (insn.operation == _EXIT or (env.functions and is_local(insn))):
            facts.clear()
        elif kind == _JMP and insn.operation == _CALL:
            self._forget_results()
            if insn.imm == Helper.KTIME_GET_NS:
                facts[R0] = anything(64)
        elif kind == _LD and insn.mode != _IMM:
            self._forget_results()
            facts[R0] = anything(8 * insn.size.nbytes)
        elif kind == _LD and (insn.src or index + 1 >= len(self._program)):
            facts.pop(insn.dst, None)
        elif kind == _LD:
            facts[insn.dst] = Fact(insn.imm & M32 | (self._program[index + 1].imm & M32) << 32)

    def _forget_results(self) -> None:
        for register in range(R0, R5 + 1):
            self._facts.pop(register, None)

    def _look_at_packet(self, env: Environment, index: int, insn: Instruction) -> None:
        self._may_end(env, env.rules.packet_loads_end, Fact(0))

    def _look_at_arithmetic(self, env: Environment, index: int, insn: Instruction) -> None:
        dst, src = env.state.registers[insn.dst], env.state.registers[insn.src]
        if dst.type not in _POINTERS and src.type not in _POINTERS:
            return  # arithmetic on numbers gives numbers
        pointer = env.hooks.moved(insn, dst, src)
        if pointer is not None:
            if abs(pointer.imm) >= pointers.FAR:
                self._note(index, "moves the frame pointer far away")
        elif pointers.result(insn, dst, src) is pointers.Result.TRACKED:
            self._note(index, "does arithmetic on a pointer, which 4.1 then forgets")

    def _look_at_load(self, env: Environment, index: int, insn: Instruction) -> None:
        base = env.state.registers[insn.src].type
        first = self._bases.setdefault(index, base)
        if first is not base and PTR_TO_CTX in (first, base):
            self._note(index, "reads the context on one path and memory on another")
        if base is PTR_TO_CTX and index in self._ordered:
            self._note(index, "reads the context atomically")

    def _look_at_store(self, env: Environment, index: int, insn: Instruction) -> None:
        value = env.state.registers[insn.src]
        atomic = insn.mode == _ATOMIC
        forgotten = not env.rules.follows_pointers and value.type in _FORGOTTEN
        if not (atomic or forgotten):
            return
        at = env.hooks.stack_at(env.state.registers[insn.dst], insn.off)
        if at is None:
            return
        if forgotten:
            self._note(index, "stores a pointer that 4.1 forgets on the stack")
        if atomic and (value.type in _POINTERS or (-512 <= at < 0 and env.state.kind(at) == SPILL)):
            self._note(index, "adds to a pointer on the stack, or adds one")

    def _look_at_exit(self, env: Environment, index: int, insn: Instruction) -> None:
        if env.state.callers and (env.state.records or env.state.registers[R0].type in _STACK):
            self._note(index, "returns a pointer to its stack, or while it holds a record")

    def _look_at_call(self, env: Environment, index: int, insn: Instruction) -> None:
        if env.functions and is_local(insn):
            if env.state.records or any(one.type in _STACK for one in env.state.registers[R1 : R5 + 1]):
                self._note(index, "passes a function a pointer to its stack, or a record")
        elif insn.imm == Helper.TAIL_CALL:
            self._may_end(env, env.rules.tail_calls_end, anything(64))

    def _look_at_comparison(self, env: Environment, index: int, insn: Instruction) -> None:
        registers = env.state.registers
        register = registers[insn.dst]
        constant = insn.source != _X
        equality = constant and insn.operation in (_JEQ, _JNE)
        null_check = register.type is PTR_TO_MAP_VALUE_OR_NULL and equality and insn.imm == 0
        if null_check and not self.checks_copies and (env.state.callers or _unchecked(env.state) > 1):
            self.checks_copies = True
            self._left.clear()  # what was passed over may not be now
        if equality and register.type in _POINTERS and not null_check and not env.rules.follows_pointers:
            self._note(index, "compares a pointer with a constant, for which 4.1 forgets it")
        if not constant and _shows_null(register, registers[insn.src]):
            self._note(index, "compares what may be null with a pointer, of which 4.1 learns nothing")
        branch = _UNCERTAIN
        if self.certain:
            found = ways(insn, self._program[index], registers, self._facts, knows_indices=self._knows_indices)
            self._goes_on = found.falls_through
            for one in (insn.dst, insn.src):
                if one in self._facts and self._facts[one].bits:
                    del self._facts[one]
            branch = Branch(found.jumps, self._facts.copy())
        self._branches[len(env.pending)] = branch

    def _note(self, index: int, what: str) -> None:
        self.hazard = self.hazard or f"instruction {index} {what}"


def _unchecked(state: State) -> int:
    """Returns how many registers and slots of the stack hold what may be null."""
    types = [one.type for one in state.registers] + [slot.spilled.type for slot in state.stack.values()]
    return types.count(PTR_TO_MAP_VALUE_OR_NULL)


def _shows_null(one: Register, other: Register) -> bool:
    """Returns whether two pointers are compared of which only one may be null; since 6.2 the verifier learns from that
    (befae75856ab)."""
    if one.type is other.type or PTR_TO_MAP_VALUE_OR_NULL not in (one.type, other.type):
        return False
    return one.type in _POINTERS and other.type in _POINTERS


Look = Callable[[Watch, Environment, int, Instruction], None]


def _look_of(insn: Coded) -> Look | None:
    """Returns what is looked for at instructions with this opcode, None where there is nothing to see."""
    kind = insn.opcode_class
    if kind in (_ALU, _ALU64):
        return None if insn.operation == _MOV else Watch._look_at_arithmetic
    if kind == _JMP:
        arms = {_CALL: Watch._look_at_call, _EXIT: Watch._look_at_exit, _JA: None}
        return arms.get(insn.operation, Watch._look_at_comparison)
    if kind == _LD:
        return None if insn.mode == _IMM else Watch._look_at_packet
    return {_LDX: Watch._look_at_load, _STX: Watch._look_at_store}.get(kind)


_LOOKS = {code: _look_of(Coded(code)) for code in range(256)}
