# SPDX-License-Identifier: MIT
"""The verifier of Linux 4.1: its functions put together."""

from __future__ import annotations

from types import MappingProxyType

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class
from harness.model.verifier.alu import any_arithmetic, check_alu, copied, moved
from harness.model.verifier.calls import check_argument, check_call
from harness.model.verifier.cfg import after_call
from harness.model.verifier.constants import check_ld
from harness.model.verifier.environment import Environment
from harness.model.verifier.hooks import Check, Hooks, VerifierRules
from harness.model.verifier.jumps import check_exit, check_jmp, fields_first, learn_nothing, refine
from harness.model.verifier.memory import (
    check_access,
    check_ldx,
    check_st,
    check_stack_read,
    check_stack_write,
    check_stx,
    check_xadd,
    stack_at,
)
from harness.model.verifier.prototypes import SOCKET_FILTER
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import covers
from harness.model.verifier.verdict import Refused
from harness.script.operations import MapType


def check_unknown_class(env: Environment, index: int, insn: Instruction) -> int:
    """Refuses class 6, which became JMP32 in 5.1."""
    raise Refused(Rule.CLASS, "EINVAL", f"unknown insn class {insn.opcode_class}")


_CHECKS: dict[Class, Check] = {
    Class.LD: check_ld,
    Class.LDX: check_ldx,
    Class.ST: check_st,
    Class.STX: check_stx,
    Class.ALU: check_alu,
    Class.JMP: check_jmp,
    Class.JMP32: check_unknown_class,
    Class.ALU64: check_alu,
}

HOOKS = Hooks(
    checks=tuple(_CHECKS[kind] for kind in Class),
    after_call=after_call,
    copied=copied,
    check_arithmetic=any_arithmetic,
    moved=moved,
    stack_at=stack_at,
    check_stack_read=check_stack_read,
    check_stack_write=check_stack_write,
    check_access=check_access,
    check_mem_access=check_access,
    check_xadd=check_xadd,
    check_call=check_call,
    check_exit=check_exit,
    check_func_arg=check_argument,
    check_jump_first=fields_first,
    refine=refine,
    refine_order=learn_nothing,
    states_equal=covers,
)
VERIFIER = VerifierRules(
    specified=True,
    hooks=HOOKS,
    follows_missing_helpers=True,  # fixup_bpf_calls(), kernel/bpf/syscall.c
    prototypes=MappingProxyType({}),
    prototypes_of_all=MappingProxyType({}),
    map_helpers=MappingProxyType({MapType.HASH: None, MapType.ARRAY: None}),
    lifted=frozenset(),
    readable=frozenset(),
    early_opcodes=frozenset(),
    functions=False,
    types_checked=False,
    tail_calls_end=False,
    packet_loads_end=False,
    indices_known=False,
    fields_first=False,
    fields_when_reached=True,
    follows_pointers=False,
    filter_context=SOCKET_FILTER.context,
    stack_arguments=False,
)
