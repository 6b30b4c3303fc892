# SPDX-License-Identifier: MIT
"""Functions of a program's own, since 4.16; 4.1 has none, and its verifier treats them here as frames of the state.

Sources: add_subprog(), check_subprogs(), check_btf_func(), check_abnormal_return(), check_func_call(),
prepare_func_exit(), check_max_stack_depth(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from itertools import pairwise

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R1, R5, R6, STACK_SIZE, Alu, Class, Helper, Jump, Mode, Size
from harness.model.verifier.environment import Environment
from harness.model.verifier.hooks import Check
from harness.model.verifier.jumps import check_exit_fields
from harness.model.verifier.later import records
from harness.model.verifier.later.fields import first_halves
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import FRAME, UNSET, Caller, Register, check_source, constant
from harness.model.verifier.verdict import Refused

CALL = Class.JMP | Jump.CALL
_IMM = Mode.IMM.value
LOCAL = 1
"""`src` of a call: BPF_PSEUDO_CALL."""
MOST_FRAMES = 8
"""MAX_CALL_FRAMES"""
TOO_DEEP = "a function with a tail call may come behind too much stack"
_PACKET_LOADS = frozenset({Class.LD | mode | size for mode in (Mode.ABS, Mode.IND) for size in Size})
_ENDS = (Class.JMP | Jump.EXIT, Class.JMP | Jump.JA)
MOST_FUNCTIONS = 256
"""BPF_MAX_SUBPROGS"""
MOST_BEFORE_TAIL_CALL = 256
"""Bytes of stack that callers of a function with a tail call may have."""
_ACCESSES = frozenset({Class.LDX.value, Class.ST.value, Class.STX.value})
_ADD = Class.ALU64 | Alu.ADD


def starts(program: Sequence[Instruction]) -> frozenset[int]:
    """Returns where functions begin, except for the first."""
    return frozenset([at + 1 + insn.imm for at, insn in enumerate(program) if insn.code == CALL and insn.src == LOCAL])


def is_local(insn: Instruction) -> bool:
    """Returns whether it calls a function of the program."""
    return insn.code == CALL and insn.src == LOCAL


def is_tail_call(insn: Instruction) -> bool:
    """Returns whether it calls bpf_tail_call."""
    return insn.code == CALL and not insn.src and insn.imm == Helper.TAIL_CALL


def tail_call_in_function(program: Sequence[Instruction]) -> bool:
    """Returns whether another function than the first makes a tail call, also where no path comes to it."""
    if not (functions := starts(program)):
        return False
    first = min(functions)
    return any(index >= first and is_tail_call(insn) for index, insn in first_halves(program))


def helper_calls(program: Sequence[Instruction], helpers: Collection[int]) -> Iterator[int]:
    """Yields the indices of the calls of these helpers."""
    if not helpers:
        return
    for index, insn in first_halves(program):
        if insn.code == CALL and insn.imm in helpers and not is_local(insn):
            yield index


def may_end(insn: Instruction) -> bool:
    """Returns whether it may end its function: a tail call, or a load from the packet."""
    return insn.code in _PACKET_LOADS or is_tail_call(insn)


def misfit(program: Sequence[Instruction], typed: Sequence[int]) -> str:
    """Returns the message by which the types of a program's functions, which begin at `typed`, are refused, "" if they
    are not; all are EINVAL, as all that comes before is. Without types there is one for functions that need them."""
    begins = sorted({0, *starts(program)})
    if typed:
        if len(typed) != len(begins):
            return "number of funcs in func_info doesn't match number of subprogs"
        return "" if [*typed] == begins else "func_info BTF section doesn't match subprog layout in BPF program"
    for begin, end in pairwise([*begins[1:], len(program)]):
        if any(map(may_end, program[begin:end])):
            return "tail_call or LD_ABS is not allowed in subprogs without BTF"
    return ""


def strange(program: Sequence[Instruction], targets: Sequence[tuple[int, int]], *, typed: bool) -> str:
    """Returns why nothing is predicted for the functions of a program whose jumps have these targets, "" if it is: they
    are not contiguous, may need more stack than there is, or may end early where it is not known who may; `typed` is
    whether the release checks their types."""
    if not (functions := starts(program)):
        return ""
    bounds = sorted({0, *functions, len(program)})
    if bounds[0] < 0 or max(functions) >= len(program):
        return "a function is called that is not there"
    if any(program[bound - 1].code not in _ENDS for bound in bounds[1:]):
        return "a function runs into the next one"
    for begin, end in pairwise(bounds):
        if any(not begin <= target < end for index, target in targets if begin <= index < end):
            return "a jump leads from one function into another"
    if len(bounds) - 1 > MOST_FRAMES or most_stack(program) > STACK_SIZE:
        return "its functions may nest too deeply"
    if not typed and any(map(may_end, program)):
        return "it has functions, and one that may end early"
    if _before_tail_calls(program, bounds) > STACK_SIZE:
        return "a function may call itself"
    return ""


def may_be_too_deep(program: Sequence[Instruction]) -> bool:
    """Returns whether a function with a tail call may come behind too much stack, of a program with nothing `strange`;
    it is refused with EACCES then, when all else of it was verified."""
    functions = starts(program)
    bounds = sorted({0, *functions, len(program)})
    return bool(functions) and _before_tail_calls(program, bounds) >= MOST_BEFORE_TAIL_CALL


def most_stack(program: Sequence[Instruction]) -> int:
    """Returns an upper bound of the stack that a program's functions use together, if none calls itself."""
    return sum(_rounded(program[begin:end]) for begin, end in pairwise(sorted({0, *starts(program), len(program)})))


def _before_tail_calls(program: Sequence[Instruction], bounds: Sequence[int]) -> int:
    """Returns an upper bound of the stack that the callers of a function with a tail call use; more than there is for
    functions that may call themselves."""
    bodies = {begin: program[begin:end] for begin, end in pairwise(bounds)}
    called = {
        begin: {begin + at + 1 + insn.imm for at, insn in enumerate(body) if is_local(insn)}
        for begin, body in bodies.items()
    }

    def most(begin: int, before: int, callers: tuple[int, ...]) -> int:
        if begin in callers:
            return STACK_SIZE + 1
        own = before if callers and any(map(is_tail_call, bodies[begin])) else 0
        deeper = before + _rounded(bodies[begin])
        return max([own, *(most(other, deeper, (*callers, begin)) for other in called[begin])])

    return most(0, 0, ())


def _rounded(function: Sequence[Instruction]) -> int:
    """Returns an upper bound of the stack that the function uses, rounded as in the verifier."""
    return max(32, *(-(-depth // 32) * 32 for depth in _depths(function)))


def _depths(function: Sequence[Instruction]) -> Iterator[int]:
    yield 0
    for insn in function:
        if insn.opcode_class in _ACCESSES:
            yield -insn.off
        elif insn.code == _ADD and insn.imm >= -STACK_SIZE:  # no further from R10 is anything
            yield -insn.imm


def after_call(env: Environment, index: int) -> tuple[int, ...]:
    """Returns where check_cfg() goes: behind a call of the program's own function before it goes into the function."""
    insn = env.program[index]
    return (index + 1, index + 1 + insn.imm) if is_local(insn) else (index + 1,)


@cache
def entered(check_call: Check) -> Check:
    """Returns the check of a call, which goes on in the function if it is the program's own."""

    def check(env: Environment, index: int, insn: Instruction) -> int:
        return enter(env, index, insn) if is_local(insn) else check_call(env, index, insn)

    return check


@cache
def left(check_exit: Check) -> Check:
    """Returns the check of an exit, which leads back to the caller, and need not set R0."""

    def check(env: Environment, index: int, insn: Instruction) -> int:
        if not env.state.callers:
            return check_exit(env, index, insn)
        check_exit_fields(insn)
        return leave(env)

    return check


@cache
def loaded(check_ld: Check) -> Check:
    """Returns the check of a load, which ends its function where it is one from behind the packet."""

    def check(env: Environment, index: int, insn: Instruction) -> int:
        if insn.mode == _IMM:
            return check_ld(env, index, insn)
        if env.state.records:
            check_source(env.state.registers, R6)
            records.check_leak(env.state)
        following = check_ld(env, index, insn)
        if env.rules.packet_loads_end is False:
            return following
        return ended(env, index, constant(0))

    return check


def ended(env: Environment, index: int, result: Register) -> int:
    """Follows both paths behind an instruction that may end its function, with a result, or not; returns where the
    first one goes on. The end of the program itself needs no check."""
    if not env.state.callers:
        return index + 1
    env.push(index + 1, index)
    env.state.registers[R0] = result
    return leave(env)


def enter(env: Environment, index: int, insn: Instruction) -> int:
    """Makes a new frame, in which R1 to R5 are the caller's; returns where the function begins."""
    if insn.off or insn.dst:
        raise Refused(Rule.CALL_FIELDS, "EINVAL", "BPF_CALL uses reserved fields")
    state = env.state
    state.callers = (*state.callers, Caller(index + 1, tuple(state.registers[R6:]), state.stack))
    state.registers = [UNSET, *state.registers[R1 : R5 + 1], *[UNSET] * 4, FRAME]
    state.stack = {}
    return index + 1 + insn.imm


def leave(env: Environment) -> int:
    """Returns to the caller, who keeps R6 to R10 and finds the result in R0, if any; the result is where it goes on."""
    state = env.state
    result = state.registers[R0]
    *callers, caller = state.callers
    state.callers = tuple(callers)
    state.registers = [result, *[UNSET] * 5, *caller.registers]
    state.stack = dict(caller.stack)
    return caller.back
