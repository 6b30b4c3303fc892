# SPDX-License-Identifier: MIT
"""The guest's runs of programs, put together from records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.isa.instruction import SIZE, Instruction
from harness.isa.opcodes import LD_IMM64, Class, Jump, Mode, Pseudo
from harness.lockstep.inside import CALL, CALL_ARGS, EXIT, PRIVATE, TAIL_CALL, same_code
from harness.lowering.watch import LoadedCode
from hil.recorder import Record

_JA32 = Class.JMP32 | Jump.JA
LOCAL = 1
"""`src` of a call of the program's own function: BPF_PSEUDO_CALL."""
STACK_WORDS = 64
REGISTER_WORDS = 11
CODE_BYTES = 16


@dataclass(frozen=True, eq=False)
class GuestProgram:
    """A program of the script as the guest has it. `kept` has the script's instructions that the kernel reports a line
    for: the others were removed, or are inside what replaced them."""

    name: str
    instructions: tuple[Instruction, ...]
    code: LoadedCode
    refused: bool = False
    """Whether the JIT compiler left it to the interpreter."""

    @cached_property
    def origin(self) -> Mapping[int, int]:
        """Returns the number of the script's instruction by that of the translated one."""
        return dict(self.code.lines) if self.code.lines else {index: index for index in range(len(self.instructions))}

    @cached_property
    def translated(self) -> bytes:
        return self.code.translated or b"".join(one.encode() for one in self.instructions)

    @cached_property
    def kept(self) -> frozenset[int]:
        return frozenset(self.origin.values())

    @cached_property
    def native(self) -> Mapping[int, tuple[int, ...]]:
        """Returns the script's instructions whose native code begins at an address."""
        found: dict[int, tuple[int, ...]] = {}
        for address, (_, index) in zip(self.code.native, self.code.lines, strict=False):
            found[address] = (*found.get(address, ()), index)
        return found

    def image_at(self, address: int, most: int = CODE_BYTES) -> bytes:
        """Returns the native code at an address, at most `most` bytes of it; empty outside of the image."""
        start = 0
        for function, size in self.code.functions:
            if function <= address < function + size:
                at = start + address - function
                return self.code.image[at : min(at + most, start + size)]
            start += size
        return b""

    def private_at(self, address: int) -> bool:
        """Returns whether the function with native code at an address has a private stack."""
        start = 0
        for function, size in self.code.functions:
            if function <= address < function + size:
                return PRIVATE in self.code.image[start : start + size]
            start += size
        return False

    def function_of(self, index: int) -> int:
        """Returns the first instruction of the function that an instruction belongs to."""
        return max((start for start in self.functions if start <= index), default=0)

    @cached_property
    def functions(self) -> tuple[int, ...]:
        """Returns the first instruction of each of the program's own functions, the program itself among them."""
        called = {
            index + 1 + one.imm
            for index, one in enumerate(self.instructions)
            if (one.code == CALL and one.src == LOCAL) or (one.code == LD_IMM64 and one.src == Pseudo.FUNCTION)
        }
        return (0, *sorted(called))


@dataclass(frozen=True)
class GuestStep:
    """One executed instruction: R0 to R10 before it, and the frame's stack, None where it was not readable.

    `indexes` are the script's instructions that begin there: more than one where the first ones have no native code.
    `entry` marks the first instruction of a JIT's function, which is seen before the function's prologue.
    """

    program: GuestProgram
    indexes: tuple[int, ...]
    registers: tuple[int, ...]
    stack: bytes | None
    record: Record
    entry: bool = False

    @property
    def index(self) -> int:
        return self.indexes[0]


@dataclass
class GuestRun:
    """One run, read as of each program that it may be of: programs with the same code cannot be told apart."""

    cpu: int
    readings: list[list[GuestStep]] = field(default_factory=list)


def interpreted(records: Iterable[Record], programs: Sequence[GuestProgram], labels: Sequence[int]) -> list[GuestRun]:
    """Returns the runs in the interpreter's records: the label's address, the addresses of instruction and array, the
    code at the instruction (two words), R0 to R10, the stack."""
    runs = []
    for run in _by_jumps(records, labels):
        readings = [steps for program in programs if (steps := _read_as(run, programs, program))]
        if readings:
            runs.append(GuestRun(run[0].cpu, readings))
    return runs


def compiled(records: Iterable[Record], programs: Sequence[GuestProgram]) -> list[GuestRun]:
    """Returns the runs in a JIT's records: the instruction's address, R0 to R10, the code there (two words), the
    stack. Where stacks may be private, the address of such a one is behind R10, and the content is behind the stack.

    Programs that are loaded where others were before have the same addresses, so a record is a program's only when the
    code is as well.
    """
    places: dict[int, list[GuestProgram]] = {}
    for program in programs:
        for address in program.native:
            places.setdefault(address, []).append(program)
    current: dict[int, list[_Found]] = {}
    found: list[list[_Found]] = []
    for record in sorted(records, key=lambda one: one.order):
        here = [program for program in places.get(record.words[0], ()) if _is_native(program, record)]
        if not here:
            continue
        if record.cpu not in current or any(program.native[record.words[0]][0] == 0 for program in here):
            current[record.cpu] = []
            found.append(current[record.cpu])
        current[record.cpu].append((record, here))
    return [GuestRun(run[0][0].cpu, _readings(run)) for run in found]


_Found = tuple[Record, list[GuestProgram]]
"""A record, and the programs that have its code there."""


def _may_be_private(record: Record) -> bool:
    """Returns whether a record has two stacks."""
    return len(record.words) > 14 + STACK_WORDS


def _is_native(program: GuestProgram, record: Record) -> bool:
    at = 12 + _may_be_private(record)
    code = b"".join(word.to_bytes(8, "little") for word in record.words[at : at + 2])
    image = program.image_at(record.words[0])
    return bool(image) and (code.startswith(image) or _unpatched(code[: len(image)]) == _unpatched(image))


_PATCHED = re.compile(rb"\x0f\x1f\x44\x00\x00|\xe9.{4}|(?:\x0f(?:\x1f(?:\x44\x00?)?)?|\xe9.{0,3})$", re.DOTALL)
"""A jump of x86_64, or the nop in its place, at the end perhaps cut off. The kernel makes the one of the other in tail
calls with a constant index, as the map changes: prog_array_map_poke_run() (kernel/bpf/arraymap.c), since 5.5."""


def _unpatched(code: bytes) -> bytes:
    return _PATCHED.sub(lambda found: b"\x90" * len(found[0]), code)


def _readings(run: Sequence[_Found]) -> list[list[GuestStep]]:
    """Returns the steps of a run for each program that it may have begun with; those that fit to its end, if there are
    any."""
    whole: list[list[GuestStep]] = []
    parts: list[list[GuestStep]] = []
    for first in run[0][1]:
        steps: list[GuestStep] = []
        program, fits = first, True
        for record, here in run:
            if program not in here:  # a tail call, or another program than it seemed
                fits = fits and bool(steps) and _calls(steps[-1])
                program = here[0]
            indexes = program.native[record.words[0]]
            same = bool(steps) and steps[-1].program is program
            if same and any(rule(steps[-1], indexes) for rule in (_same_exit, _left, _tried_again)):
                continue
            entry = indexes[0] in program.functions
            registers, stack = record.words[1:12], _stack(record, 14 + _may_be_private(record), 1)
            if _may_be_private(record) and program.private_at(record.words[0]):
                registers, stack = (*record.words[1:11], record.words[12]), _stack(record, 15 + STACK_WORDS, 2)
            steps.append(GuestStep(program, indexes, registers, None if entry else stack, record, entry))
        (whole if fits else parts).append(steps)
    return whole or parts


def _calls(step: GuestStep) -> bool:
    return step.program.instructions[step.indexes[-1]].code == CALL


def _same_exit(before: GuestStep, indexes: tuple[int, ...]) -> bool:
    """Returns whether this is an exit that another exit's code jumped to, as on x86_64, where only the first one has
    the epilogue."""
    program = before.program
    return (
        program.instructions[before.indexes[-1]].code == EXIT
        and program.instructions[indexes[-1]].code == EXIT
        and program.function_of(before.index) == program.function_of(indexes[-1])
    )


def _left(before: GuestStep, indexes: tuple[int, ...]) -> bool:
    """Returns whether this is the last exit of a function, whose code a load from behind the packet's end jumped to."""
    program = before.program
    one = program.instructions[before.index]
    return (
        one.opcode_class is Class.LD
        and one.mode in (Mode.ABS, Mode.IND)
        and program.instructions[indexes[-1]].code == EXIT
        and program.function_of(before.index) == program.function_of(indexes[-1])
        and before.index + 1 not in indexes
    )


def _tried_again(before: GuestStep, indexes: tuple[int, ...]) -> bool:
    """Returns whether an atomic operation is tried again, as on arm64 without LSE, where its exclusive store fails when
    something came between: its code jumps back to its begin."""
    one = before.program.instructions[before.index]
    return before.indexes == indexes and one.opcode_class == Class.STX and one.mode == Mode.ATOMIC


def _by_jumps(records: Iterable[Record], labels: Sequence[int]) -> Iterator[list[Record]]:
    """Yields the records of one run after the other, on each CPU: a run goes on where the last instruction may lead.

    Only records at the label of their own opcode count: compilers jump from one label's code into another's.
    """
    open_runs: dict[int, tuple[list[Record], list[int]]] = {}
    for record in sorted(records, key=lambda one: one.order):
        instruction = _instruction(record)
        if labels[instruction.code] != record.words[0]:
            continue
        run, returns = open_runs.get(record.cpu, ([], []))
        if run and not _leads(run[-1], record, returns):
            yield run
            run, returns = [], []
        run.append(record)
        open_runs[record.cpu] = run, returns
        if instruction.code == EXIT and not returns:
            yield run
            del open_runs[record.cpu]
    yield from (run for run, _ in open_runs.values())


def _leads(last: Record, here: Record, returns: list[int]) -> bool:
    """Returns whether an instruction may be followed by another one; keeps the return addresses in `returns`."""
    instruction, at, to = _instruction(last), last.words[1], here.words[1]
    following = at + SIZE * (2 if instruction.code == LD_IMM64 else 1)
    if instruction.code == EXIT:
        return bool(returns) and returns.pop() == to
    if instruction.code == CALL_ARGS:
        returns.append(following)
        return True
    if instruction.code == TAIL_CALL:
        return True
    if instruction.opcode_class in (Class.JMP, Class.JMP32) and instruction.code != CALL:
        distance = instruction.imm if instruction.code == _JA32 else instruction.off
        return to in (following, following + SIZE * distance)
    return to == following


def _read_as(run: Sequence[Record], programs: Sequence[GuestProgram], first: GuestProgram) -> list[GuestStep]:
    """Returns the steps of a run that began with `first`, and went on with any others; empty when it did not."""
    steps: list[GuestStep] = []
    base = run[0].words[1]
    for number, record in enumerate(run):
        at = (record.words[1] - base) // SIZE
        if not _is_at(first, at, record):
            if not steps or _instruction(steps[-1].record).code != TAIL_CALL:
                return []
            called = (one for one in programs if _is_at(one, 0, record))
            further = (_read_as(run[number:], programs, one) for one in called)
            return next(([*steps, *one] for one in further if one), [])
        if at in first.origin:
            index = first.origin[at]
            steps.append(GuestStep(first, (index,), record.words[5:16], _stack(record, 16, 2), record))
    return steps


def _is_at(program: GuestProgram, at: int, record: Record) -> bool:
    """Returns whether the record's code is a program's translated instruction number `at`, as far as the kernel shows
    it: constants that are addresses inside are left out."""
    if not 0 <= at < len(program.translated) // SIZE:
        return False
    shown = program.translated[SIZE * at : SIZE * (at + 1)]
    return same_code(shown, record.words[3].to_bytes(8, "little"))


def _instruction(record: Record) -> Instruction:
    word = record.words[3]
    off, imm = word >> 16 & 0xFFFF, word >> 32
    return Instruction(word & 0xFF, word >> 8 & 0xF, word >> 12 & 0xF, off - (off >> 15 << 16), imm - (imm >> 31 << 32))


def _stack(record: Record, at: int, window: int) -> bytes | None:
    if window in record.missing or len(record.words) < at + STACK_WORDS:
        return None
    return b"".join(word.to_bytes(8, "little") for word in record.words[at : at + STACK_WORDS])
