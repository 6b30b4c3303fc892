# SPDX-License-Identifier: MIT
"""Observes 4.1's simulation, and finds what later verifiers would judge otherwise.

Later ones know more: they keep pointers that 4.1 forgets, compute with constants, and take only the side of a jump that
can be taken. So what 4.1 accepts they may refuse where a pointer was forgotten, and what 4.1 refuses they may never
reach. Both are noticed here; neither is decided.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R1, R5, REGISTERS, Alu, Class, Helper, Jump, Mode, Source
from harness.model.verifier.environment import Environment
from harness.model.verifier.later import pointers
from harness.model.verifier.later.functions import is_local
from harness.model.verifier.state import (
    CONST_IMM,
    CONST_PTR_TO_MAP,
    FRAME_PTR,
    PTR_TO_CTX,
    PTR_TO_MAP_VALUE,
    PTR_TO_MAP_VALUE_OR_NULL,
    SPILL,
    Register,
    RegisterType,
)
from harness.script.operations import MapType

# Plain numbers, for reaching a member of an enumeration is slow and this runs for every simulated instruction.
_LD, _LDX, _ST, _STX = Class.LD.value, Class.LDX.value, Class.ST.value, Class.STX.value
_ALU, _ALU64, _JMP = Class.ALU.value, Class.ALU64.value, Class.JMP.value
_ADD, _MOV, _X = Alu.ADD.value, Alu.MOV.value, Source.X.value

_POINTERS, _STACK = pointers.POINTERS, pointers.STACK
_INDEXED = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})


class Ways(NamedTuple):
    """Whether every verifier goes on behind a comparison, and whether it also takes the jump."""

    falls_through: bool = False
    jumps: bool = False


class Branch(NamedTuple):
    """A pending branch: whether every verifier takes it, and the opaque registers there."""

    certain: bool
    opaque: Mapping[int, int]


class Watch:
    """`hazard` is the first thing that later verifiers may refuse, "" for none. `certain` is whether every verifier
    comes to the instruction under simulation: no jump passed that a better informed verifier might decide the other
    way. `resumed` is whether this is any path but the first. `simulated` are the instructions seen, `reached` those
    that every verifier comes to. `checks_copies` is whether a lookup's result was compared with 0 while another
    register, or perhaps a caller, held one, too: if that is a copy, later verifiers know it is no null either (J-03).
    """

    def __init__(
        self, ordered: Container[int] = (), signed: Container[int] = (), *, knows_indices: bool = False
    ) -> None:
        """Takes in `ordered` the indices of loads that are atomic, in `signed` those of loads that extend a sign; with
        `knows_indices` the verifier may know that an element of an array exists."""
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
        self.simulated: set[int] = set()
        self.reached: set[int] = set()
        self._bases: dict[int, RegisterType] = {}
        self._opaque: dict[int, int] = {}
        """Registers whose low bits, of the number given, are wholly unknown, with zeros above."""

    def step(self, env: Environment, index: int, insn: Instruction, *, resumed: bool) -> None:
        """Observes one instruction; fields that are out of order are left to the verifier."""
        self.simulated.add(index)
        if resumed:
            self.resumed = True
            self._goes_on, opaque = self._branches[len(env.pending)]
            self._opaque = dict(opaque)
        self.certain = self._goes_on
        if self.certain:
            self.reached.add(index)
        if insn.dst >= REGISTERS or insn.src >= REGISTERS:
            return
        dst, src = env.state.registers[insn.dst], env.state.registers[insn.src]
        kind = insn.opcode_class
        if kind in (_ALU, _ALU64):
            self._arithmetic(index, insn, dst, src)
        elif kind == _LDX:
            self._load(index, insn, src)
        elif kind in (_ST, _STX):
            self._store(env, index, insn, dst, src)
        elif kind == _JMP:
            self._jump(env, index, insn, dst)
        elif kind == _LD:
            self._forget(*((insn.dst,) if insn.mode == Mode.IMM else range(6)))

    def _arithmetic(self, index: int, insn: Instruction, dst: Register, src: Register) -> None:
        self._forget(insn.dst)
        operation = insn.operation
        if operation == _MOV:
            return
        if operation == _ADD and insn.opcode_class == _ALU64 and insn.source != _X and dst.type is FRAME_PTR:
            if abs(insn.imm) >= pointers.FAR:
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
        if base.type in (PTR_TO_CTX, PTR_TO_MAP_VALUE) and index not in self._signed:
            self._opaque[insn.dst] = 8 * insn.size.nbytes

    def _store(self, env: Environment, index: int, insn: Instruction, base: Register, value: Register) -> None:
        if index in env.fetches:
            self._forget(env.fetches[index])
        if base.type is not FRAME_PTR or insn.opcode_class == Class.ST:
            return
        if value.type in (FRAME_PTR, CONST_PTR_TO_MAP, PTR_TO_MAP_VALUE_OR_NULL):
            self._note(index, "stores a pointer that 4.1 forgets on the stack")
        atomic = insn.mode == Mode.ATOMIC
        if atomic and (value.type in _POINTERS or (-512 <= insn.off < 0 and env.state.kind(insn.off) == SPILL)):
            self._note(index, "adds to a pointer on the stack, or adds one")

    def _jump(self, env: Environment, index: int, insn: Instruction, register: Register) -> None:
        operation = insn.operation
        if operation == Jump.EXIT:
            if env.state.callers and (env.state.records or env.state.registers[R0].type in _STACK):
                self._note(index, "returns a pointer to its stack, or while it holds a record")
            self._opaque.clear()
        elif operation == Jump.CALL and env.functions and is_local(insn):
            if env.state.records or any(one.type in _STACK for one in env.state.registers[R1 : R5 + 1]):
                self._note(index, "passes a function a pointer to its stack, or a record")
            self._opaque.clear()
        elif operation == Jump.CALL:
            self._forget(*range(6))
            if insn.imm == Helper.KTIME_GET_NS:
                self._opaque[R0] = 64
        elif operation != Jump.JA:
            ways = self._comparison(env, index, insn, operation, register)
            self._goes_on = self.certain and ways.falls_through
            self._forget(insn.dst)
            self._branches[len(env.pending)] = Branch(self.certain and ways.jumps, dict(self._opaque))

    def _comparison(self, env: Environment, index: int, insn: Instruction, operation: int, register: Register) -> Ways:
        constant = insn.source != Source.X
        equality = constant and operation in (Jump.JEQ, Jump.JNE)
        null_check = register.type is PTR_TO_MAP_VALUE_OR_NULL and equality and insn.imm == 0
        held = sum(one.type is PTR_TO_MAP_VALUE_OR_NULL for one in env.state.registers)
        if null_check and (held > 1 or env.state.callers):
            self.checks_copies = True
        if equality and register.type in _POINTERS and not null_check:
            self._note(index, "compares a pointer with a constant, for which 4.1 forgets it")
        if not constant and _shows_null(register, env.state.registers[insn.src]):
            self._note(index, "compares what may be null with a pointer, of which 4.1 learns nothing")
        if equality and register.type is CONST_IMM:
            if register.imm != insn.imm:
                return Ways(falls_through=operation == Jump.JEQ, jumps=operation == Jump.JNE)
            if insn.imm < 0:
                self._note(index, "relies on a negative constant, of which 4.1 gets the upper half wrong")
            return Ways(falls_through=True)  # or wherever 4.1 goes, which resumes nothing
        if null_check:
            indexed = self._knows_indices and register.map is not None and register.map.type in _INDEXED
            return Ways(not indexed or operation == Jump.JEQ, not indexed or operation == Jump.JNE)
        bits = self._opaque.get(insn.dst, 0)
        if bits < 64:
            either = bits > 0 and equality and 0 <= insn.imm < 1 << bits
            return Ways(either, either)
        if constant and (operation, insn.imm) != (Jump.JGE, 0):
            return Ways(True, (operation, insn.imm) not in ((Jump.JGT, -1), (Jump.JSET, 0)))
        return Ways()

    def _forget(self, *registers: int) -> None:
        for register in registers:
            self._opaque.pop(register, None)

    def _note(self, index: int, what: str) -> None:
        self.hazard = self.hazard or f"instruction {index} {what}"


def _shows_null(one: Register, other: Register) -> bool:
    """Returns whether two pointers are compared of which only one may be null; since 6.2 the verifier learns from that
    (befae75856ab)."""
    types = {one.type, other.type}
    return PTR_TO_MAP_VALUE_OR_NULL in types and len(types & _POINTERS) == 2
