# SPDX-License-Identifier: MIT
"""Observes 4.1's simulation, and finds what later verifiers would judge otherwise.

Later ones know more: they keep pointers that 4.1 forgets, compute with constants, and take only the side of a jump that
can be taken. So what 4.1 accepts they may refuse where a pointer was forgotten, and what 4.1 refuses they may never
reach. Both are noticed here; neither is decided.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R1, R5, REGISTERS, Alu, Class, Helper, Jump, Mode, Source
from harness.model.value import M32, M64
from harness.model.verifier.environment import Environment
from harness.model.verifier.later import pointers
from harness.model.verifier.later.feasible import Fact, anything, moved, outcomes, with_itself
from harness.model.verifier.later.functions import is_local
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_IMM,
    CONST_PTR_TO_MAP,
    FRAME_PTR,
    PTR_TO_CTX,
    PTR_TO_MAP_VALUE,
    PTR_TO_MAP_VALUE_OR_NULL,
    SPILL,
    VALUE_SOMEWHERE,
    Register,
    RegisterType,
    State,
)
from harness.model.verifier.verdict import Refused
from harness.script.operations import MapType

# Plain numbers, for reaching a member of an enumeration is slow and this runs for every simulated instruction.
_LD, _LDX, _ST, _STX = Class.LD.value, Class.LDX.value, Class.ST.value, Class.STX.value
_ALU, _ALU64, _JMP = Class.ALU.value, Class.ALU64.value, Class.JMP.value
_MOV, _X, _IMM, _ATOMIC = Alu.MOV.value, Source.X.value, Mode.IMM.value, Mode.ATOMIC.value
_CONSTANTS = frozenset({_ALU | _MOV, _ALU64 | _MOV})
_CALL, _EXIT, _JA = Jump.CALL.value, Jump.EXIT.value, Jump.JA.value
_JEQ, _JNE = Jump.JEQ.value, Jump.JNE.value

UNCHECKED = frozenset({Rule.ACCESS_UNCHECKED, Rule.ARGUMENT_UNCHECKED, Rule.UNCHECKED_ARITHMETIC})
"""Rules about what may be null."""
_POINTERS, _STACK = pointers.POINTERS, pointers.STACK
_FORGOTTEN = (FRAME_PTR, CONST_PTR_TO_MAP, PTR_TO_MAP_VALUE_OR_NULL)
_INDEXED = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})


class Ways(NamedTuple):
    """Whether every verifier goes on behind a comparison, and whether it also takes the jump."""

    falls_through: bool = False
    jumps: bool = False


_ways = cache(Ways)


class Branch(NamedTuple):
    """A pending branch: whether every verifier takes it, and what is known of registers there."""

    certain: bool
    facts: Mapping[int, Fact]


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
        ordered: Container[int] = (),
        signed: Container[int] = (),
        *,
        knows_indices: bool = False,
    ) -> None:
        """Takes a program with the newer opcodes themselves, in `ordered` the indices of loads that are atomic, in
        `signed` those of loads that extend a sign; with `knows_indices` the verifier may know that an element of an
        array exists."""
        self._program = program
        self._ordered = ordered
        self._signed = signed
        self._knows_indices = knows_indices
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
        self._constants = [moved(insn, {}) if insn.code in _CONSTANTS else None for insn in program]
        """What an instruction puts into a register, whatever comes before it; most set one to a constant."""
        self._facts: dict[int, Fact] = {}
        """What is known of registers, on a path that is certain."""
        self.passed_over: list[Refused] = []
        self._refused = [0] * len(program)
        """How often a path was passed over at each instruction."""
        self._at = 0

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
        """Observes one instruction; fields that are out of order are left to the verifier."""
        self._at = index
        self._simulated[index] += 1
        if resumed:
            self.resumed = True
            self._goes_on, facts = self._branches[len(env.pending)]
            self._facts = dict(facts)
        self.certain = self._goes_on
        if self.certain:
            self.reached.add(index)
        if insn.dst >= REGISTERS or insn.src >= REGISTERS:
            return
        constant = self._constants[index]
        if constant is not None:
            self._facts[insn.dst] = constant
            return
        dst, src = env.state.registers[insn.dst], env.state.registers[insn.src]
        kind = insn.opcode_class
        if kind in (_ALU, _ALU64):
            self._arithmetic(env, index, insn, dst, src)
        elif kind == _LDX:
            self._load(index, insn, src)
        elif kind in (_ST, _STX):
            self._store(env, index, insn, dst, src)
        elif kind == _JMP:
            self._jump(env, index, insn, dst)
        elif kind == _LD:
            self._constant_or_packet(env, index, insn)

    def passes_over(self, env: Environment, refusal: Refused) -> bool:
        """Returns whether a verifier that takes this path, which not every one does, refuses the program for the same
        reason: then the other paths decide, if they say the same."""
        rule = refusal.rule
        open = rule in env.rules.lifted or rule is Rule.HELPER_NOT_OFFERED or (self.checks_copies and rule in UNCHECKED)
        if self.certain or self.hazard or open:
            return False
        self.passed_over.append(refusal)
        self._refused[self._at] += 1
        for states in env.explored.values():  # the states on the way here are not shown to be safe, and cover no other
            states.clear()
        return True

    def _may_end(self, env: Environment, follows: bool | None, result: Fact) -> None:
        """Observes an instruction that may end its function with a result: where verifiers follow that path, it comes
        first; None says that only some do."""
        if not env.state.callers or follows is False:
            return
        self._branches[len(env.pending)] = Branch(self.certain, dict(self._facts))
        self._goes_on = self.certain and follows is True
        self._facts = {R0: result}

    def _constant_or_packet(self, env: Environment, index: int, insn: Instruction) -> None:
        if insn.mode != _IMM:
            self._forget(*range(6))
            self._facts[R0] = anything(8 * insn.size.nbytes)
            self._may_end(env, env.rules.packet_loads_end, Fact(0))
        elif insn.src or index + 1 >= len(self._program):
            self._forget(insn.dst)
        else:
            self._facts[insn.dst] = Fact(insn.imm & M32 | (self._program[index + 1].imm & M32) << 32)

    def _arithmetic(self, env: Environment, index: int, insn: Instruction, dst: Register, src: Register) -> None:
        fact = moved(self._program[index], self._facts)
        if fact is not None:
            self._facts[insn.dst] = fact
        else:
            self._facts.pop(insn.dst, None)
        if insn.operation == _MOV or (dst.type not in _POINTERS and src.type not in _POINTERS):
            return  # arithmetic on numbers gives numbers
        pointer = env.hooks.moved(insn, dst, src)
        if pointer is not None:
            if abs(pointer.imm) >= pointers.FAR:
                self._note(index, "moves the frame pointer far away")
        elif pointers.result(insn, dst, src) is pointers.Result.TRACKED:
            self._note(index, "does arithmetic on a pointer, which 4.1 then forgets")

    def _load(self, index: int, insn: Instruction, base: Register) -> None:
        first = self._bases.setdefault(index, base.type)
        if first is not base.type and PTR_TO_CTX in (first, base.type):
            self._note(index, "reads the context on one path and memory on another")
        if base.type is PTR_TO_CTX and index in self._ordered:
            self._note(index, "reads the context atomically")
        self._forget(insn.dst)
        constant = base.map is not None and base.map.constant  # a number that verifiers may know
        if base.type in (PTR_TO_CTX, PTR_TO_MAP_VALUE) and not constant and index not in self._signed:
            self._facts[insn.dst] = anything(8 * insn.size.nbytes)

    def _store(self, env: Environment, index: int, insn: Instruction, base: Register, value: Register) -> None:
        if index in env.fetches:
            self._forget(env.fetches[index])
        atomic = insn.mode == _ATOMIC
        forgotten = not env.rules.follows_pointers and value.type in _FORGOTTEN
        if insn.opcode_class == _ST or not (atomic or forgotten):
            return
        at = env.hooks.stack_at(base, insn.off)
        if at is None:
            return
        if forgotten:
            self._note(index, "stores a pointer that 4.1 forgets on the stack")
        if atomic and (value.type in _POINTERS or (-512 <= at < 0 and env.state.kind(at) == SPILL)):
            self._note(index, "adds to a pointer on the stack, or adds one")

    def _jump(self, env: Environment, index: int, insn: Instruction, register: Register) -> None:
        operation = insn.operation
        if operation == _EXIT:
            if env.state.callers and (env.state.records or env.state.registers[R0].type in _STACK):
                self._note(index, "returns a pointer to its stack, or while it holds a record")
            self._facts.clear()
        elif operation == _CALL and env.functions and is_local(insn):
            if env.state.records or any(one.type in _STACK for one in env.state.registers[R1 : R5 + 1]):
                self._note(index, "passes a function a pointer to its stack, or a record")
            self._facts.clear()
        elif operation == _CALL:
            self._forget(*range(6))
            if insn.imm == Helper.TAIL_CALL:
                self._may_end(env, env.rules.tail_calls_end, anything(64))
            if insn.imm == Helper.KTIME_GET_NS:
                self._facts[R0] = anything(64)
        elif operation != _JA:
            ways = self._comparison(env, index, insn, operation, register)
            self._goes_on = self.certain and ways.falls_through
            for one in (insn.dst, insn.src):
                if one in self._facts and self._facts[one].bits:
                    del self._facts[one]
            self._branches[len(env.pending)] = Branch(self.certain and ways.jumps, self._facts.copy())

    def _comparison(self, env: Environment, index: int, insn: Instruction, operation: int, register: Register) -> Ways:
        constant = insn.source != _X
        equality = constant and operation in (_JEQ, _JNE)
        null_check = register.type is PTR_TO_MAP_VALUE_OR_NULL and equality and insn.imm == 0
        if null_check and (env.state.callers or _unchecked(env.state) > 1):
            self.checks_copies = True
        if equality and register.type in _POINTERS and not null_check and not env.rules.follows_pointers:
            self._note(index, "compares a pointer with a constant, for which 4.1 forgets it")
        if not constant and _shows_null(register, env.state.registers[insn.src]):
            self._note(index, "compares what may be null with a pointer, of which 4.1 learns nothing")
        original = self._program[index]
        if equality and register.type is CONST_IMM and register.imm == insn.imm:
            if insn.imm >= 0:
                return _ways(True)  # or wherever 4.1 goes, which resumes nothing
            if original.opcode_class != _JMP:  # only the upper half may be another one
                return _ways(operation == _JNE, operation == _JEQ)
        if null_check:
            indexed = self._knows_indices and register.map is not None and register.map.type in _INDEXED
            return _ways(not indexed or operation == _JEQ, not indexed or operation == _JNE)
        if not constant and insn.dst == insn.src:
            same = with_itself(original)
            return _ways(same is False, same is True)
        left = self._facts.get(insn.dst)
        right = Fact(original.imm & M64) if constant else self._facts.get(insn.src)
        if left is not None and right is not None:
            found = outcomes(original, left, right)
            return _ways(False in found, True in found)
        other = None if constant else env.state.registers[insn.src]
        return _ways() if original.opcode_class != _JMP else _of_pointers(original, (register, other), (left, right))

    def _forget(self, *registers: int) -> None:
        for register in registers if self._facts else ():
            self._facts.pop(register, None)

    def _note(self, index: int, what: str) -> None:
        self.hazard = self.hazard or f"instruction {index} {what}"


def _unchecked(state: State) -> int:
    """Returns how many registers and slots of the stack hold what may be null."""
    saved = (slot.spilled for slot in state.stack.values())
    return sum(one.type is PTR_TO_MAP_VALUE_OR_NULL for one in (*state.registers, *saved))


def _shows_null(one: Register, other: Register) -> bool:
    """Returns whether two pointers are compared of which only one may be null; since 6.2 the verifier learns from that
    (befae75856ab)."""
    if one.type is other.type or PTR_TO_MAP_VALUE_OR_NULL not in (one.type, other.type):
        return False
    return one.type in _POINTERS and other.type in _POINTERS


def _of_pointers(
    insn: Instruction, registers: tuple[Register, Register | None], facts: tuple[Fact | None, Fact | None]
) -> Ways:
    """is_branch_taken(): of a comparison with a pointer verifiers know nothing, except that most are not 0."""
    pointers = [index for index, one in enumerate(registers) if one is not None and one.type in _POINTERS]
    if not pointers or any(one is not None and one.type is VALUE_SOMEWHERE for one in registers):
        return _ways()
    if len(pointers) == 2 or insn.operation not in (Jump.JEQ, Jump.JNE):
        return _ways(True, True)
    pointer, number = registers[pointers[0]], facts[1 - pointers[0]]
    if number is None or number.bits:
        return _ways()
    if number.value:
        return _ways(True, True)
    if pointer is None or pointer.type is PTR_TO_MAP_VALUE_OR_NULL:
        return _ways()
    return _ways(insn.operation == Jump.JEQ, insn.operation == Jump.JNE)
