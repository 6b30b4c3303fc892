# SPDX-License-Identifier: MIT
"""What the verifier knows at one point of one path: the types of eleven registers and of the stack.

Source: struct reg_state, struct verifier_state, check_reg_arg(), states_equal(), kernel/bpf/verifier.c of 4.1.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache, partial
from typing import NamedTuple

from harness.isa.opcodes import FRAME_POINTER, R0, R1, R2, R3, R4, R5, REGISTERS, STACK_SIZE
from harness.model.verifier.context import MapShape
from harness.model.verifier.rules import Rule
from harness.model.verifier.verdict import Refused


class RegisterType(IntEnum):
    """`enum bpf_reg_type`."""

    NOT_INIT = 0
    UNKNOWN_VALUE = 1
    PTR_TO_CTX = 2
    CONST_PTR_TO_MAP = 3
    PTR_TO_MAP_VALUE = 4
    PTR_TO_MAP_VALUE_OR_NULL = 5
    FRAME_PTR = 6
    PTR_TO_STACK = 7
    CONST_IMM = 8
    VALUE_SOMEWHERE = 9
    """For later releases only: a pointer to a map's value that was moved by a number that is not known."""


NOT_INIT = RegisterType.NOT_INIT
UNKNOWN_VALUE = RegisterType.UNKNOWN_VALUE
PTR_TO_CTX = RegisterType.PTR_TO_CTX
CONST_PTR_TO_MAP = RegisterType.CONST_PTR_TO_MAP
PTR_TO_MAP_VALUE = RegisterType.PTR_TO_MAP_VALUE
PTR_TO_MAP_VALUE_OR_NULL = RegisterType.PTR_TO_MAP_VALUE_OR_NULL
FRAME_PTR = RegisterType.FRAME_PTR
PTR_TO_STACK = RegisterType.PTR_TO_STACK
CONST_IMM = RegisterType.CONST_IMM
VALUE_SOMEWHERE = RegisterType.VALUE_SOMEWHERE

NAMES = ("?", "inv", "ctx", "map_ptr", "map_value", "map_value_or_null", "fp", "fp", "imm", "map_value")
"""reg_type_str[]: a type as the log shows it."""


class Register(NamedTuple):
    """The state of a register. `imm` counts for CONST_IMM and PTR_TO_STACK, `map` for the three map types. For later
    releases `imm` of UNKNOWN_VALUE is the highest number that it can be, if it is not 0.

    In the kernel both share eight bytes, of which `imm` is four: writing a constant over a map's address leaves the
    upper half of the address behind. `stale` says so, for states are compared byte by byte, and a constant with a stale
    half is not the same as one without. (The halves of two maps are taken to be the same: both addresses lie in the
    kernel's linear map, whose first 4 GiB share it.)
    """

    type: RegisterType
    imm: int = 0
    map: MapShape | None = None
    stale: bool = False

    def overwritten(self, kind: RegisterType, imm: int = 0) -> Register:
        """Returns the register with `type` and `imm` assigned, and nothing else."""
        return plain(kind, imm, True) if self.stale or self.map is not None else plain(kind, imm)


@lru_cache(maxsize=8192)
def plain(kind: RegisterType, imm: int, stale: bool = False) -> Register:
    """Returns a register that is of no map; the same object for the same content, which is fast to make and to
    compare."""
    return Register(kind, imm, None, stale)


constant = partial(plain, CONST_IMM)
"""Returns a register that holds a constant."""


UNSET = plain(NOT_INIT, 0)
UNKNOWN = plain(UNKNOWN_VALUE, 0)
CONTEXT = plain(PTR_TO_CTX, 0)
FRAME = plain(FRAME_PTR, 0)


INVALID, SPILL, MISC = 0, 1, 2
"""`enum bpf_stack_slot_type`: a byte that nothing was stored in, one of a saved register, one of plain data."""


class Slot(NamedTuple):
    """Eight bytes of stack: the kind of each, and the register saved there."""

    kinds: bytes = bytes(8)
    spilled: Register = UNSET


EMPTY_SLOT = Slot()


@lru_cache(maxsize=4096)
def written_slot(kinds: bytes, first: int, size: int) -> Slot:
    """Returns what becomes of a slot with bytes of these kinds where plain data is stored in `size` of them."""
    return Slot(kinds[:first] + bytes([MISC]) * size + kinds[first + size :])


SPILLED = bytes([SPILL]) * 8


class Caller(NamedTuple):
    """The caller of a function of the program's own: where it goes on, R6 to R10, and its stack."""

    back: int
    registers: tuple[Register, ...]
    stack: dict[int, Slot]


class State:
    """Registers, and the slots of the stack that were ever written, by their number from the lowest address; and, for
    later releases only, the records that must be released, and the callers."""

    __slots__ = ("callers", "records", "registers", "stack")

    def __init__(
        self,
        registers: list[Register],
        stack: dict[int, Slot],
        records: frozenset[MapShape | None] = frozenset(),
        callers: tuple[Caller, ...] = (),
    ) -> None:
        self.registers = registers
        self.stack = stack
        self.records = records
        self.callers = callers

    @classmethod
    def at_entry(cls) -> State:
        """init_reg_state(): returns the state with the context in R1, the frame pointer in R10."""
        registers = [UNSET] * REGISTERS
        registers[R1] = CONTEXT
        registers[FRAME_POINTER] = FRAME
        return cls(registers, {})

    def copy(self) -> State:
        """Returns an independent state with the same content."""
        return State(self.registers.copy(), self.stack.copy(), self.records, self.callers)

    def equals(self, other: State) -> bool:
        """Returns whether both know the same."""
        return (
            self.registers == other.registers
            and self.stack == other.stack
            and self.records == other.records
            and self.callers == other.callers
        )

    def kind(self, off: int) -> int:
        """Returns the kind of the stack's byte at R10 + off."""
        return self.kinds(off, 1)[0]

    def kinds(self, off: int, size: int) -> bytes:
        """Returns the kind of each of `size` bytes of the stack, from R10 + off on."""
        first, inside = divmod(STACK_SIZE + off, 8)
        slots = range(first, first + (inside + size + 7) // 8)
        return b"".join([self.stack.get(slot, EMPTY_SLOT).kinds for slot in slots])[inside : inside + size]

    def __str__(self) -> str:
        """print_verifier_state(), without the line's end."""
        parts = [
            f" R{number}={NAMES[register.type]}{_detail(register)}"
            for number, register in enumerate(self.registers)
            if register.type is not NOT_INIT
        ]
        parts += [
            f" fp{8 * number - STACK_SIZE}={NAMES[slot.spilled.type]}"
            for number, slot in sorted(self.stack.items())
            if slot.kinds[0] == SPILL
        ]
        return "".join(parts)


def _detail(register: Register) -> str:
    if register.type in (CONST_IMM, PTR_TO_STACK):
        return str(register.imm)
    if register.map is not None and register.type in (CONST_PTR_TO_MAP, PTR_TO_MAP_VALUE, PTR_TO_MAP_VALUE_OR_NULL):
        return f"(ks={as_int(register.map.key_size)},vs={as_int(register.map.value_size)})"
    return ""


def as_int(value: int) -> int:
    """Returns an unsigned 32 bit number as a C int shows it."""
    return value - (1 << 32) if value >> 31 else value


def check_source(registers: list[Register], number: int) -> Register:
    """check_reg_arg(SRC_OP): checks that the register exists and was written."""
    if number >= REGISTERS:
        raise Refused(Rule.REGISTER, "EINVAL", f"R{number} is invalid")
    register = registers[number]
    if register.type is NOT_INIT:
        raise Refused(Rule.UNREADABLE, "EACCES", f"R{number} !read_ok")
    return register


def check_destination(registers: list[Register], number: int, *, mark: bool = True) -> None:
    """check_reg_arg(DST_OP): marks the register as unknown, or without `mark` DST_OP_NO_MARK."""
    if number >= REGISTERS:
        raise Refused(Rule.REGISTER, "EINVAL", f"R{number} is invalid")
    if number == FRAME_POINTER:
        raise Refused(Rule.FRAME_POINTER, "EACCES", "frame pointer is read only")
    if mark:
        registers[number] = UNKNOWN


def reset_caller_saved(registers: list[Register]) -> None:
    """Makes R0 to R5 unreadable after a call."""
    for number in (R0, R1, R2, R3, R4, R5):
        if registers[number] is not UNSET:
            registers[number] = registers[number].overwritten(NOT_INIT)


def covers(old: State, new: State) -> bool:
    """states_equal(): returns whether `new` needs no simulation because `old`, which demands no less, went through it.
    An unknown number covers a pointer."""
    for before, now in zip(old.registers, new.registers, strict=True):
        if before is now or before.type is NOT_INIT or before == now:
            continue
        if before.type is not UNKNOWN_VALUE or now.type is NOT_INIT:
            return False
    slots = new.stack
    for number, slot in old.stack.items():
        other = slots.get(number, EMPTY_SLOT)
        if slot is not other and not _slot_covers(slot, other):
            return False
    return True


def _slot_covers(old: Slot, new: Slot) -> bool:
    for before, now in zip(old.kinds, new.kinds, strict=True):
        if before not in (INVALID, now):
            return False
    return old.kinds[0] == INVALID or old.spilled == new.spilled
