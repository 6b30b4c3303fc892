# SPDX-License-Identifier: MIT
"""Jumps, calls and exit: kernel/bpf/core.c, __bpf_prog_run(), labels JMP_*.

Distances count from the following instruction. Comparisons of a constant sign-extend it first.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, Helper
from harness.model.memory import Fault
from harness.model.rules import FunctionFault
from harness.model.signed import SIGN32, SIGN64
from harness.model.state import GARBAGE, Frame, Handler, Resumed, State, TailCall, new_stack
from harness.model.unpredictable import Unpredictable
from harness.model.value import M32, M64, Value

MOST_FRAMES = 8
"""MAX_CALL_FRAMES, include/linux/bpf_verifier.h: no verified program has more frames."""

_TAIL_CALL = Helper.TAIL_CALL.value

Comparison = Callable[[Value, Value], bool]

_UNSIGNED: dict[str, Comparison] = {
    "jeq": operator.eq,
    "jne": operator.ne,
    "jgt": operator.gt,
    "jge": operator.ge,
    "jlt": operator.lt,
    "jle": operator.le,
    "jset": lambda left, right: (left & right) != 0,
}
_SIGNED: dict[str, Comparison] = {
    "jsgt": operator.gt,
    "jsge": operator.ge,
    "jslt": operator.lt,
    "jsle": operator.le,
}


def jumps() -> Iterator[tuple[str, Handler]]:
    """Yields the name and the function of every jump."""
    for suffix, mask, sign in (("", M64, SIGN64), ("32", M32, SIGN32)):
        for name, comparison in _UNSIGNED.items():
            yield f"{name}{suffix}_reg", _register(comparison, mask)
            yield f"{name}{suffix}_imm", _constant(comparison, mask)
        for name, comparison in _SIGNED.items():
            signed = _signed(comparison, sign)
            yield f"{name}{suffix}_reg", _register(signed, mask)
            yield f"{name}{suffix}_imm", _constant(signed, mask)
    yield "ja", jump
    yield "gotol", jump_long
    yield "call", call_helper
    yield "call_local", call_local
    yield "exit", return_or_exit


def _register(comparison: Comparison, mask: int) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        registers = state.registers
        try:
            holds = comparison(registers[instruction.dst] & mask, registers[instruction.src] & mask)
        except Unpredictable as unpredictable:
            holds = _chosen(state, unpredictable)
        if holds:
            state.pc += instruction.off

    return execute


def _constant(comparison: Comparison, mask: int) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        try:
            holds = comparison(state.registers[instruction.dst] & mask, instruction.imm & mask)
        except Unpredictable as unpredictable:
            holds = _chosen(state, unpredictable)
        if holds:
            state.pc += instruction.off

    return execute


def _chosen(state: State, unpredictable: Unpredictable) -> bool:
    """Returns whether a jump with an unknown condition is taken."""
    if state.choices is None:
        raise unpredictable
    return state.choices.choose(unpredictable)


def _signed(comparison: Comparison, sign: int) -> Comparison:
    """Returns a signed comparison: two's complement numbers are in order once their sign bit is flipped."""
    return lambda left, right: comparison(left ^ sign, right ^ sign)


def jump(state: State, instruction: Instruction) -> None:
    state.pc += instruction.off


def jump_long(state: State, instruction: Instruction) -> None:
    """Executes `gotol`, since 6.6: the distance is in `imm`."""
    state.pc += instruction.imm


def call_helper(state: State, instruction: Instruction) -> None:
    """Calls a helper: R0 is its result; R1 to R5 are clobbered."""
    registers = state.registers
    if instruction.imm == _TAIL_CALL:
        tail_call(state)
        return
    registers[0] = state.helper(instruction.imm, *registers[1:6])
    registers[1:6] = [GARBAGE] * 5


def tail_call(state: State) -> None:
    """Executes bpf_tail_call(context, map, index): another program takes over for good, in a function up to its end;
    else R0 to R5 are clobbered."""
    _, _, map, index = state.registers[:4]
    program, state.tail_calls = state.helper.tail_call(map, index, state.tail_calls)
    if program is not None:
        raise TailCall(program)
    state.registers[:6] = [GARBAGE] * 6


def call_local(state: State, instruction: Instruction) -> None:
    """Calls the program's own function: R6 to R9 are saved, and it has a stack of its own."""
    if state.depth + 1 >= MOST_FRAMES:
        raise Fault(f"a call stack of more than {MOST_FRAMES} frames")
    here = Frame(
        state.pc, state.registers[6:11], state.depth, state.code, state.instructions, state.maps, state.tail_calls
    )
    state.callers.append(here)
    state.depth += 1
    state.registers[FRAME_POINTER] = new_stack()
    state.pc += instruction.imm


def return_or_exit(state: State, _: Instruction) -> Value | None:
    """Returns to the caller, or ends the program with R0."""
    return leave(state, state.registers[0])


def leave(state: State, result: Value) -> Value | None:
    """Ends the function with a result in R0, or the program, whose result is returned."""
    if not state.callers:
        return result
    frame = state.callers.pop()
    if faults := state.helper.faults_of_functions:
        if FunctionFault.RESULT_REMOVED in faults and not state.depth:  # a tail call began a program anew
            state.astray = True
        if FunctionFault.BUDGET_OF_FRAMES in faults:
            state.tail_calls = frame.tail_calls
    state.pc, state.depth = frame.pc, frame.depth
    state.registers[:] = [result, *[GARBAGE] * 5, *frame.registers]
    if frame.code is not state.code:
        state.code, state.instructions, state.maps = frame.code, frame.instructions, frame.maps
        raise Resumed
    return None
