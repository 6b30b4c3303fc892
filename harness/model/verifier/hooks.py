# SPDX-License-Identifier: MIT
"""Where later verifiers do otherwise: the functions of 4.1's that another takes the place of, and the data they go by.

Which function holds since which release is in harness/model/upstream/verifying.py; the functions themselves are in
harness/model/verifier/later, and 4.1's beside this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.isa.instruction import Instruction
from harness.model.verifier.context import MapShape
from harness.model.verifier.prototypes import Argument, Prototype
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import Register, State

if TYPE_CHECKING:
    from harness.model.verifier.environment import Environment

Check = Callable[["Environment", int, Instruction], int]
"""Looks at the instruction at an index, and returns the index of the next one on the path."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions, under the names they have in kernel/bpf/verifier.c where they have one there."""

    checks: tuple[Check, ...]
    """By the class of the instruction: the arms of do_check()."""
    after_call: Callable[[Environment, int], tuple[int, ...]]
    """Where check_cfg() goes from the call at an index."""
    copied: Callable[[Register, Register], Register]
    """What check_alu_op() copies in a 64 bit move: of the source before and after the destination was marked."""
    check_arithmetic: Callable[[Instruction, Register, Register], None]
    """Whether the destination may be computed with, as it was before; adjust_ptr_min_max_vals() later."""
    check_mem_access: Callable[[Environment, int, int, int, bool], None]
    """Access through a register, at an offset, of so many bytes; whether it is a write."""
    check_xadd: Callable[[Environment, int, Instruction], None]
    check_call: Check
    check_exit: Check
    """The part of do_check()."""
    check_func_arg: Callable[[State, int, Argument, MapShape | None], None]
    check_jump_first: Callable[[Environment, Instruction], None]
    """What check_cond_jmp_op() looks at before the fields that mean nothing."""
    refine: Callable[[State, State, int, Register, int], None]
    """What check_cond_jmp_op() learns: the states where the register equals a constant and where it does not."""
    states_equal: Callable[[State, State], bool]


@dataclass(frozen=True)
class VerifierRules:
    """The verifier of one release."""

    specified: bool
    """All of it is written down, its log and its words too; else it is inferred from what is known of it
    (harness.model.verifier.later.predict)."""
    hooks: Hooks
    follows_missing_helpers: bool
    """Also of a call that no path reaches the helper is looked up, through a null pointer where there is none."""
    prototypes: Mapping[int, Prototype] = field(hash=False)
    """Helpers that came after 4.1, or are called otherwise than there; of those the release offers to the type."""
    prototypes_of_all: Mapping[int, Prototype] = field(hash=False)
    """The same for programs of every type, not only those on kprobes."""
    map_helpers: Mapping[int, frozenset[int] | None] = field(hash=False)
    """By type of map: the only helpers that take it, None for those that 4.1 has. Of other types nothing is known."""
    lifted: frozenset[Rule]
    """Rules of 4.1 that are not known to hold any more."""
    early_opcodes: frozenset[int]
    """Opcodes that pass though the release has no use for them."""
    functions: bool
    """Programs have functions of their own."""
    indices_known: bool
    """Of a constant index it is known whether an array has such an element."""
    fields_when_reached: bool
    """Fields of computations and jumps are looked at only where a path comes to them."""
    stack_arguments: bool
    """Functions pass arguments beyond the fifth behind R11, which no other instruction may name."""
