# SPDX-License-Identifier: MIT
"""Whether all that a program leaves behind is decided by its script, so that it must be the same on every kernel.

Addresses, a probe's registers, and what helpers tell of time and chance are not. `determined` follows them through the
program, and says no wherever one of them may come into memory, into a comparison, or into what the program returns. It
knows nothing of values, and says no to much that would be the same all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from harness.isa.instruction import Instruction
from harness.isa.opcodes import (
    LD_IMM64,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R10,
    REGISTERS,
    Alu,
    Atomic,
    Class,
    Helper,
    Jump,
    Mode,
    Source,
)

_FUNCTION = 1
"""`src` of a call: BPF_PSEUDO_CALL."""


class Kind(Enum):
    """What a register holds: a number that the script decides, the address of a map's value or 0, an address on the
    stack, the context, or anything."""

    DECIDED = auto()
    VALUE = auto()
    STACK = auto()
    CONTEXT = auto()
    ANYTHING = auto()


_POINTED = {
    Helper.MAP_LOOKUP_ELEM: (R2,),
    Helper.MAP_UPDATE_ELEM: (R2, R3),
    Helper.MAP_DELETE_ELEM: (R2,),
    Helper.TAIL_CALL: (),
}
"""Helpers that give and leave what their arguments say, each with those that point at memory."""
_NUMBERS = {Helper.MAP_UPDATE_ELEM: R4, Helper.TAIL_CALL: R3}
_GIVES = {Helper.MAP_LOOKUP_ELEM: Kind.VALUE, Helper.TAIL_CALL: Kind.ANYTHING}
_ARGUMENTS = (R1, R2, R3, R4, R5)


@dataclass(frozen=True)
class _State:
    """Before an instruction: what registers hold, and the bytes of the stack, by offset, that are surely written."""

    kinds: tuple[Kind, ...]
    written: frozenset[int] = frozenset()

    def put(self, kind: Kind, *registers: int) -> _State:
        """With something else in registers."""
        return replace(self, kinds=tuple(kind if at in registers else one for at, one in enumerate(self.kinds)))

    def join(self, other: _State) -> _State:
        """What holds whichever way led here."""
        pairs = zip(self.kinds, other.kinds, strict=True)
        kinds = tuple(one if one is its else Kind.ANYTHING for one, its in pairs)
        return _State(kinds, self.written & other.written)


_Next = list[tuple[int, _State]]


class _Undecided(Exception):
    """Something that is not decided may come out of its register."""


def determined(program: tuple[Instruction, ...]) -> bool:
    """Whether the program leaves nothing behind that its script does not decide."""
    kinds = [Kind.ANYTHING] * REGISTERS
    kinds[R1], kinds[R10] = Kind.CONTEXT, Kind.STACK
    states, todo = {0: _State(tuple(kinds))}, [0]
    try:
        while todo:
            at = todo.pop()
            for index, state in _after(program, at, states[at]):
                known = states.get(index)
                joined = state if known is None else known.join(state)
                if joined != known:
                    states[index] = joined
                    todo.append(index)
    except (_Undecided, IndexError):
        return False
    return True


def _after(program: tuple[Instruction, ...], at: int, state: _State) -> _Next:
    """The instructions that may follow one, each with the state before it."""
    one = program[at]
    if one.code == LD_IMM64:
        return [(at + 2, state.put(Kind.ANYTHING if one.src else Kind.DECIDED, one.dst))]
    match one.opcode_class:
        case Class.JMP | Class.JMP32:
            return _jump(program, at, state)
        case Class.ALU | Class.ALU64:
            return [(at + 1, state.put(_result(one, state), one.dst))]
        case Class.LD:  # of the packet, which the script gives
            _demand(one.mode == Mode.ABS or state.kinds[one.src] is Kind.DECIDED)
            return [(at + 1, state.put(Kind.ANYTHING, *_ARGUMENTS).put(Kind.DECIDED, R0))]
        case Class.LDX:
            return [(at + 1, state.put(_loaded(one, state), one.dst))]
    return [(at + 1, _stored(one, state))]


def _result(one: Instruction, state: _State) -> Kind:
    unary = one.operation in (Alu.NEG, Alu.END)
    other = state.kinds[one.src] if one.source is Source.X and not unary else Kind.DECIDED
    mine = other if one.operation == Alu.MOV else state.kinds[one.dst]
    if (mine, other) == (Kind.DECIDED, Kind.DECIDED):
        return Kind.DECIDED
    if one.opcode_class is Class.ALU64 and one.operation == Alu.MOV and not one.off:
        return mine
    moved = one.opcode_class is Class.ALU64 and one.operation == Alu.ADD and one.source is Source.K
    return mine if moved and mine in (Kind.STACK, Kind.VALUE) else Kind.ANYTHING


def _loaded(one: Instruction, state: _State) -> Kind:
    """Memory of maps holds nothing that is not decided; the stack may hold what was there before."""
    plain = one.mode in (Mode.MEM, Mode.MEMSX)
    return Kind.DECIDED if plain and state.kinds[one.src] is Kind.VALUE else Kind.ANYTHING


def _stored(one: Instruction, state: _State) -> _State:
    place = state.kinds[one.dst]
    _demand(one.opcode_class is Class.ST or state.kinds[one.src] is Kind.DECIDED)
    _demand(place in (Kind.STACK, Kind.VALUE))
    if one.mode == Mode.ATOMIC:
        _demand(place is Kind.VALUE and one.imm == Atomic.ADD)
    elif one.dst == R10:
        return replace(state, written=state.written | set(range(one.off, one.off + one.size.nbytes)))
    return state


def _jump(program: tuple[Instruction, ...], at: int, state: _State) -> _Next:
    one = program[at]
    if one.operation == Jump.EXIT:
        _demand(state.kinds[R0] is Kind.DECIDED)
        return []
    if one.operation == Jump.CALL:
        return _call(program, at, state)
    if one.operation == Jump.JA:
        return [(at + 1 + (one.imm if one.opcode_class is Class.JMP32 else one.off), state)]
    found = one.source is Source.K and one.imm == 0 and one.operation in (Jump.JEQ, Jump.JNE)
    sides = {state.kinds[one.dst], state.kinds[one.src] if one.source is Source.X else Kind.DECIDED}
    _demand(sides == {Kind.DECIDED} or (found and state.kinds[one.dst] is Kind.VALUE))
    _demand(one.operation != Jump.JCOND)
    nothing = state.put(Kind.DECIDED, one.dst)  # what is 0 is no address
    if sides == {Kind.DECIDED}:
        return [(at + 1, state), (at + 1 + one.off, state)]
    on, there = (state, nothing) if one.operation == Jump.JEQ else (nothing, state)
    return [(at + 1, on), (at + 1 + one.off, there)]


def _call(program: tuple[Instruction, ...], at: int, state: _State) -> _Next:
    one, kinds = program[at], state.kinds
    if one.src == _FUNCTION:
        own = [Kind.ANYTHING if kind is Kind.STACK else kind for kind in kinds[:R6]]  # the stack is another
        inner = (*own, *[Kind.ANYTHING] * (R10 - R6), Kind.STACK)
        return [(at + 1, state.put(Kind.ANYTHING, R0, *_ARGUMENTS)), (at + 1 + one.imm, _State(inner))]
    _demand(not one.src and one.imm in _POINTED)
    helper = Helper(one.imm)
    _demand(all(kinds[pointer] in (Kind.STACK, Kind.VALUE) for pointer in _POINTED[helper]))
    _demand(helper not in _NUMBERS or kinds[_NUMBERS[helper]] is Kind.DECIDED)
    if any(kinds[pointer] is Kind.STACK for pointer in _POINTED[helper]):
        _demand(state.written >= set(range(_deepest(program), 0)))
    return [(at + 1, state.put(Kind.ANYTHING, *_ARGUMENTS).put(_GIVES.get(helper, Kind.DECIDED), R0))]


def _deepest(program: Iterable[Instruction]) -> int:
    """How far down the stack a pointer that is handed over may point."""
    added = (one.imm for one in program if one.opcode_class is Class.ALU64 and one.operation == Alu.ADD)
    return min(added, default=0)


def _demand(holds: bool) -> None:
    if not holds:
        raise _Undecided
