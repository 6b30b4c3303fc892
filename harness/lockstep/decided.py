# SPDX-License-Identifier: MIT
"""Branches that the verifier took for decided.

Where it finds that a conditional jump can go one way only, it makes `goto` of it, and removes what is then dead and the
jump with it (opt_hard_wire_dead_code_branches() and opt_remove_dead_code(), kernel/bpf/verifier.c, since 5.1). A
program that goes the other way by its registers shows that the verifier was wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.isa.instruction import SIZE, decode
from harness.isa.opcodes import LD_IMM64, Class, Jump
from harness.isa.text import listing
from harness.lockstep.actual import GuestProgram, GuestStep
from harness.lockstep.effects import conditional, read
from harness.lockstep.expected import ModelStep
from harness.lockstep.findings import text
from harness.model.value import M32, M64, Partial, Value

_GOTO, _GOTO_LONG = Class.JMP | Jump.JA, Class.JMP32 | Jump.JA
_AROUND = 2
"""How many translated instructions are shown before and behind the place."""


def decided(program: GuestProgram, index: int) -> bool:
    """Returns whether a conditional jump of a program is none in the kernel's form of it."""
    if not conditional(program.instructions[index]):
        return False
    became = _translated(program, index)
    return became is None or program.translated[SIZE * became] in (_GOTO, _GOTO_LONG)


def undecided(before: ModelStep) -> bool:
    """Returns whether a step is a conditional jump by a number that the model does not know."""
    return any(isinstance(value, Partial) for _, value in _compared(before))


def culprit(steps: Sequence[ModelStep], first: int, end: int, guest: Sequence[GuestStep], at: int) -> int | None:
    """Returns which of the model's steps from `first` on, before `end`, is a decided branch that makes both part where
    the guest goes on with its step `at`; None when none does.

    It is one whose other side leads to where the guest went on: either another instruction than the model's, or the
    same one, to which the model came through instructions that the verifier took for dead.
    """
    program = guest[min(at, len(guest) - 1)].program
    went = guest[at].index if at < len(guest) else None
    for number in range(max(first, 0), end):
        step = steps[number].step
        if step.program != program.instructions or not decided(program, step.pc):
            continue
        other = next(side for side in _sides(program, step.pc) if side != step.next or _same(program, step.pc))
        if other == step.next or _led(program, other) != went:
            continue
        dead = any(steps[between].step.pc not in program.kept for between in range(number + 1, end))
        if dead or end == len(steps) or steps[end].step.pc != went:
            return number
    return None


def told(step: ModelStep, guest: Sequence[GuestStep], at: int) -> Iterator[str]:
    """Yields what is to be said of a decided branch, the model's `step`, behind which the guest's step `at` is."""
    here = step.step
    program = guest[min(at, len(guest) - 1)].program
    texts = dict(listing(here.program))
    became = _translated(program, here.pc)
    shown = dict(listing(tuple(decode(program.translated))))
    form = f"is {shown[became]}" if became is not None else "is not there"
    yield (
        f"branch removed: instruction {here.pc}, {texts[here.pc]}, {form} in the program that the kernel runs: "
        "its verifier took it for decided"
    )
    narrow = here.instruction.opcode_class is Class.JMP32
    model = ", ".join(_text(number, value, here.before[number], narrow) for number, value in _compared(step))
    yield f"by the model it compares {model}, and goes to instruction {here.next}"
    if at < len(guest):
        has = guest[at].registers
        kernel = ", ".join(
            _text(number, has[number] & (M32 if narrow else M64), has[number], narrow)
            for number in sorted(read(here.instruction))
        )
        yield f"the kernel has {kernel} there, and went on with instruction {guest[at].index}"
        yield "xlated_prog_insns of BPF_OBJ_GET_INFO_BY_FD, with the instruction that each comes from:"
        middle = _translated(program, guest[at].index) or 0
        numbers = [number for number in shown if middle - _AROUND <= number <= middle + _AROUND]
        yield from (f"  xlated {number:4}: {shown[number]}  {_from(program, number)}".rstrip() for number in numbers)


def _from(program: GuestProgram, number: int) -> str:
    return f"; {program.origin[number]}" if number in program.origin else ""


def _compared(step: ModelStep) -> Iterator[tuple[int, Value]]:
    """Yields the registers that a conditional jump compares, with what it sees of each."""
    one = step.step.instruction
    if conditional(one):
        for number in sorted(read(one)):
            value = step.step.before[number]
            yield number, value & M32 if one.opcode_class is Class.JMP32 else value


def _text(number: int, seen: Value, whole: Value, narrow: bool) -> str:
    """Returns what a jump sees of a register, and the register where that is its low half only."""
    if not narrow:
        return f"R{number}={text(seen)}"
    return f"w{number}={text(seen)}" + (f" of R{number}={text(whole)}" if isinstance(whole, int) else "")


def _translated(program: GuestProgram, index: int) -> int | None:
    """Returns the number of the translated instruction that one of the script's became; None when there is none."""
    return next((number for number, origin in program.origin.items() if origin == index), None)


def _sides(program: GuestProgram, index: int) -> tuple[int, int]:
    return index + 1, index + 1 + program.instructions[index].off


def _same(program: GuestProgram, index: int) -> bool:
    """Returns whether a jump leads to the same instruction either way."""
    return program.instructions[index].off == 0


def _led(program: GuestProgram, start: int) -> int:
    """Returns the first instruction that the kernel kept on the way from an instruction on."""
    at = start
    while at < len(program.instructions) and at not in program.kept:
        one = program.instructions[at]
        if one.code in (_GOTO, _GOTO_LONG):
            at += 1 + (one.imm if one.code == _GOTO_LONG else one.off)
        else:
            at += 2 if one.code == LD_IMM64 else 1
    return at
