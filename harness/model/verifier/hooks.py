# SPDX-License-Identifier: MIT
"""The differences of later verifiers: the functions of 4.1's that are replaced, and the data they use.

Which function holds since which release is in harness/model/upstream/verifying.py; the functions themselves are in
harness/model/verifier/later, and 4.1's beside this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.isa.instruction import Instruction
from harness.model.verifier.context import MapShape
from harness.model.verifier.prototypes import Argument, ContextAccess, Prototype
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import Register, State

if TYPE_CHECKING:
    from harness.model.verifier.environment import Environment

Check = Callable[["Environment", int, Instruction], int]
"""Checks the instruction at an index, and returns the index of the next one on the path."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The functions, under their names in kernel/bpf/verifier.c where they have one there."""

    checks: tuple[Check, ...]
    """The arms of do_check(), by the class of the instruction."""
    after_call: Callable[[Environment, int], tuple[int, ...]]
    """Returns where check_cfg() goes from the call at an index."""
    copied: Callable[[Register, Register], Register]
    """Returns what check_alu_op() copies in a 64 bit move, given the source before and after the destination was
    marked."""
    check_arithmetic: Callable[[Instruction, Register, Register], None]
    """Checks whether the destination, as it was before, may be an operand; adjust_ptr_min_max_vals() later."""
    moved: Callable[[Instruction, Register, Register], Register | None]
    """The pointer that arithmetic gives, of the destination before it and the source; None for a number."""
    stack_at: Callable[[Register, int], int | None]
    """Where on the stack an access through a register with an offset is, None if it is elsewhere."""
    check_stack_read: Callable[[Environment, int, int], Register]
    """A load from the stack of so many bytes; what it gives."""
    check_stack_write: Callable[[State, int, int, Register], None]
    """A store of so many bytes of a register."""
    check_access: Callable[[Environment, int, int, int, bool], int | None]
    """The part of `check_mem_access` that knows nothing of what a map allows."""
    check_mem_access: Callable[[Environment, int, int, int, bool], int | None]
    """Checks an access: the base register, the offset, the size in bytes, and whether it is a write; returns where on
    the stack it is, as `stack_at`."""
    check_xadd: Callable[[Environment, int, Instruction], None]
    check_call: Check
    check_exit: Check
    """The part of do_check()."""
    check_func_arg: Callable[[Environment, int, Argument, MapShape | None], None]
    check_jump_first: Callable[[Environment, Instruction], None]
    """Checks what check_cond_jmp_op() checks before the reserved fields."""
    refine: Callable[[State, State, int, Register, int], None]
    """Refines, as check_cond_jmp_op(), the states where the register equals a constant and where it does not."""
    refine_order: Callable[[State, Instruction], None]
    """Refines the state behind a comparison of another kind, where it does not hold."""
    states_equal: Callable[[State, State], bool]


@dataclass(frozen=True)
class VerifierRules:
    """The verifier of one release."""

    specified: bool
    """The verifier is specified in full, its log and its messages too; else verdicts are inferred from what is known of
    it (harness.model.verifier.later.predict)."""
    hooks: Hooks
    follows_missing_helpers: bool
    """The helper of every call is looked up, also of one that no path reaches, through a null pointer where there is
    none."""
    prototypes: Mapping[int, Prototype] = field(hash=False)
    """The prototypes of helpers that came after 4.1, or are called otherwise than there, of those that the release
    offers to the type."""
    prototypes_of_all: Mapping[int, Prototype] = field(hash=False)
    """The same for programs of every type, not only those on kprobes."""
    map_helpers: Mapping[int, frozenset[int] | None] = field(hash=False)
    """The only helpers that take maps of a type, by type; None for types that 4.1 has. Of other types nothing is
    known."""
    lifted: frozenset[Rule]
    """The rules of 4.1 that are not known to hold any more."""
    readable: frozenset[Rule]
    """The rules against reading what is on the stack that do not hold any more, for loads and for helpers."""
    early_opcodes: frozenset[int]
    """Opcodes that are accepted though the release does not define them."""
    functions: bool
    """Programs have functions of their own."""
    types_checked: bool
    """Functions that make tail calls or read packets need types, and the types must fit the program's functions."""
    tail_calls_end: bool
    """The path on which a tail call ends a function, with any number in R0, is followed."""
    packet_loads_end: bool | None
    """So is the path on which a load from behind the packet ends a function with 0; None where that is not known."""
    indices_known: bool
    """It is known for a constant index whether an array has such an element."""
    fields_first: bool
    """Fields of arithmetic and of jumps are looked at before any path is simulated, also where none leads."""
    fields_when_reached: bool
    """Fields of computations and jumps are looked at only where a path comes to them."""
    follows_pointers: bool
    """A pointer stays one where it equals a number, on the stack, and moved by a constant."""
    filter_context: ContextAccess
    """What socket filters may do with their context."""
    stack_arguments: bool
    """Functions pass arguments beyond the fifth behind R11, which no other instruction may name."""
