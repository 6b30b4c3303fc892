# SPDX-License-Identifier: MIT
"""Rules by which lanes of one release answer differently, so that no fault is behind a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.abi.bpf import ProgramType
from harness.crosscheck.grounds import Differing
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump
from harness.script.operations import LoadProgram, Operation

_CALL = Class.JMP | Jump.CALL
_CONTEXTS_ALIKE = (ProgramType.SOCKET_FILTER, ProgramType.SCHED_CLS, ProgramType.SCHED_ACT)
"""Types of programs whose context is the same structure on every architecture."""
Helpers = frozenset[int]
"""Those a program can call on a lane."""


@dataclass(frozen=True)
class Rule:
    """Between lanes that differ in any of `across`, an operation that `concerns` holds for, with the helpers of both
    lanes, may give different things; `because` and `link` say why."""

    across: Differing
    concerns: Callable[[Operation, Helpers, Helpers], bool]
    because: str
    link: str


def _calls(operation: Operation, src: int) -> frozenset[int]:
    if not isinstance(operation, LoadProgram):
        return frozenset()
    calls: list[Instruction] = [one for one in operation.program.instructions if one.code == _CALL]
    return frozenset(one.imm for one in calls if one.src == src)


def _other_helpers(operation: Operation, ours: Helpers, theirs: Helpers) -> bool:
    return bool(_calls(operation, 0) & (ours ^ theirs))


def _functions(operation: Operation, *_: Helpers) -> bool:
    return bool(_calls(operation, 1) | _calls(operation, 2))


def _registers(operation: Operation, *_: Helpers) -> bool:
    return isinstance(operation, LoadProgram) and operation.type not in _CONTEXTS_ALIKE


RULES = (
    Rule(
        Differing.ENGINE | Differing.ARCH,
        _other_helpers,
        "some helpers are there for a compiler only, and some on one architecture only (get_helper_proto())",
        "https://github.com/torvalds/linux/blob/v6.12/kernel/bpf/verifier.c",
    ),
    Rule(
        Differing.ENGINE | Differing.ARCH,
        _functions,
        "compilers and interpreter round the stack of functions differently (round_up_stack_depth()), and only some "
        "compilers take tail calls beside functions (check_map_func_compatibility()), or functions of the kernel",
        "https://github.com/torvalds/linux/blob/v6.12/kernel/bpf/verifier.c",
    ),
    Rule(
        Differing.ARCH,
        _registers,
        "the context has another size on each architecture, as struct pt_regs (kprobe_prog_is_valid_access())",
        "https://github.com/torvalds/linux/blob/v6.12/kernel/trace/bpf_trace.c",
    ),
)


def explained(operation: Operation, differing: Differing, ours: Helpers, theirs: Helpers) -> str:
    """Why lanes that differ in this may give different things; empty when no rule says that they may."""
    return next(
        (rule.because for rule in RULES if differing & rule.across and rule.concerns(operation, ours, theirs)), ""
    )
