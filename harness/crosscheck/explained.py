# SPDX-License-Identifier: MIT
"""Rules by which lanes of one release answer differently, so that no fault is behind a difference."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from harness.abi.bpf import ProgramType
from harness.crosscheck.witness import Differing, Witness
from harness.isa.instruction import Instruction
from harness.isa.opcodes import STACK_SIZE, Class, Helper, Jump, Mode, Size
from harness.lane import Engine
from harness.model.verifier.later.functions import most_stack
from harness.script.operations import LoadProgram, Operation

_CALL = Class.JMP | Jump.CALL
_CONSTANT = Class.LD | Mode.IMM | Size.DW
_HELPER, _FUNCTION, _KERNEL_FUNCTION, _CALLBACK = 0, 1, 2, 4
"""What `src` says that a call is of, or the constant an address of: BPF_PSEUDO_CALL, BPF_PSEUDO_KFUNC_CALL and
BPF_PSEUDO_FUNC in include/uapi/linux/bpf.h."""
_CONTEXTS_ALIKE = (ProgramType.SOCKET_FILTER, ProgramType.SCHED_CLS, ProgramType.SCHED_ACT)
"""Types of programs whose context is the same structure on every architecture."""
_ALIGNED = frozenset({"riscv64"})
"""Architectures without CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS."""


@dataclass(frozen=True)
class Rule:
    """A program that `concerns` holds for may be taken on one lane and refused on another that differs from it in any
    of `across`; `because` and `link` say why. `with_einval` is whether whoever refuses it for that does so with EINVAL:
    what the verifier refuses with another errno is refused so on both."""

    across: Differing
    concerns: Callable[[LoadProgram, Witness, Witness], bool]
    because: str
    link: str
    with_einval: bool = False


def _of(load: LoadProgram, code: int, src: int) -> list[Instruction]:
    return [one for one in load.program.instructions if one.code == code and one.src == src]


def _other_helpers(load: LoadProgram, ours: Witness, theirs: Witness) -> bool:
    return any(one.imm in ours.helpers ^ theirs.helpers for one in _of(load, _CALL, _HELPER))


def _compiled(load: LoadProgram, ours: Witness, theirs: Witness) -> bool:
    references = _of(load, _CALL, _KERNEL_FUNCTION) or _of(load, _CONSTANT, _CALLBACK)
    return bool(references) and not _interpreted(ours, theirs)


def _deep(load: LoadProgram, ours: Witness, theirs: Witness) -> bool:
    called = bool(_of(load, _CALL, _FUNCTION))
    return called and not _interpreted(ours, theirs) and most_stack(load.program.instructions) > STACK_SIZE


def _interpreted(*lanes: Witness) -> bool:
    return all(one.lane.engine is Engine.INTERP for one in lanes)


def _tail_calls(load: LoadProgram, ours: Witness, theirs: Witness) -> bool:
    return (
        ours.tail_calls_of_functions is not theirs.tail_calls_of_functions
        and bool(_of(load, _CALL, _FUNCTION))
        and any(one.imm == Helper.TAIL_CALL for one in _of(load, _CALL, _HELPER))
    )


def _registers(load: LoadProgram, *_: Witness) -> bool:
    return load.type not in _CONTEXTS_ALIKE


def _aligned(_: LoadProgram, ours: Witness, theirs: Witness) -> bool:
    return (ours.lane.arch in _ALIGNED) is not (theirs.lane.arch in _ALIGNED)


_VERIFIER = "https://github.com/torvalds/linux/blob/v6.12/kernel/bpf/verifier.c"
RULES = (
    Rule(
        Differing.ENGINE | Differing.ARCH,
        _other_helpers,
        "some helpers are there for a compiler only, and some on one architecture only (get_helper_proto())",
        _VERIFIER,
        with_einval=True,
    ),
    Rule(
        Differing.ENGINE | Differing.ARCH,
        _deep,
        "compilers round up the frames of functions otherwise, and some give each a stack of its own "
        "(round_up_stack_depth(), check_max_stack_depth())",
        _VERIFIER,
    ),
    Rule(
        Differing.ENGINE | Differing.ARCH,
        _compiled,
        "the interpreter calls no functions of the kernel and takes no callbacks, and not every compiler does "
        "(fixup_call_args())",
        _VERIFIER,
    ),
    Rule(
        Differing.ENGINE | Differing.ARCH,
        _tail_calls,
        "only some compilers take tail calls beside functions (allow_tail_call_in_subprogs())",
        _VERIFIER,
        with_einval=True,
    ),
    Rule(
        Differing.ARCH,
        _registers,
        "the context has another size on each architecture, as struct pt_regs (kprobe_prog_is_valid_access())",
        "https://github.com/torvalds/linux/blob/v6.12/kernel/trace/bpf_trace.c",
    ),
    Rule(
        Differing.ARCH,
        _aligned,
        "accesses must be aligned where an architecture is slow at others (check_ptr_alignment())",
        "https://github.com/torvalds/linux/blob/v6.12/arch/riscv/Kconfig",
    ),
)


def explained(operation: Operation, ours: Witness, theirs: Witness, errnos: Collection[str | None] = ()) -> str:
    """Why two lanes may give different things; empty when no rule says that they may. `errnos` are what they gave,
    None for success."""
    if not isinstance(operation, LoadProgram):
        return ""
    differing = ours.differs(theirs)
    otherwise = bool(errnos) and "EINVAL" not in errnos  # refused, but not as with EINVAL
    for rule in RULES:
        if differing & rule.across and not (otherwise and rule.with_einval) and rule.concerns(operation, ours, theirs):
            return rule.because
    return ""
