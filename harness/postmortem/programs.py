# SPDX-License-Identifier: MIT
"""Finds the BPF program and the instruction at which a CPU is that stands still, by the code of the scripts under way.

The interpreter (`___bpf_prog_run()`, kernel/bpf/core.c) keeps the address of the instruction in a register that the
functions it calls save on the stack. So the address is looked for in all registers and on the stack: what it points to
is an instruction of a program under way, with the program's other instructions around it. No layout of a structure and
no debug information of a release is needed.

A JIT's code has no symbol. Its address tells the instruction with the table that the kernel gave when the same program
was loaded once more, elsewhere: `Compiled`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.isa.instruction import SIZE, Instruction
from harness.isa.text import listing
from harness.lockstep.inside import CALL, INTERPRETERS, same_code
from harness.lowering.watch import LoadedCode
from harness.script.operations import LoadProgram, Script
from hil.gdb.errors import GdbRefused
from hil.gdb.frame import Frame
from hil.postmortem import StillCpu

_STACK = 16 << 10
"""Bytes of a kernel's stack at most: THREAD_SIZE of x86_64 and arm64."""
_CHUNK = 512
_KERNEL = 1 << 63
_AROUND = 2
"""Instructions on either side that must be the program's as well."""
_BEGIN = 4
"""Bytes of a function's prologue, which has no addresses."""
_ALIKE = 0.8
"""The part of a JIT's code that two loads have in common at least: addresses in it differ."""


@dataclass(frozen=True)
class UnderWay:
    """A program that a CPU may be executing, and the scripts under way that load it."""

    name: str
    instructions: tuple[Instruction, ...]
    scripts: tuple[str, ...]

    @cached_property
    def code(self) -> bytes:
        return b"".join(one.encode() for one in self.instructions)

    def at(self, index: int, how: str) -> str:
        """Returns in words that the program is at an instruction."""
        text = dict(listing(self.instructions)).get(index, "")
        of = self.scripts[0] if len(self.scripts) == 1 else f"one of {len(self.scripts)} scripts under way"
        return f"BPF program {self.name!r} of {of}, {how}, at instruction {index}: {text}"


@dataclass(frozen=True)
class Compiled:
    """A program under way as a JIT compiled it on another machine of the kind: its code, where it began, and the
    instruction behind each address in it."""

    program: UnderWay
    code: LoadedCode

    def instruction(self, cpu: StillCpu, address: int, *, returns: bool) -> int | None:
        """Returns the number of the instruction whose native code has the address or, where `returns`, calls what
        returns to it; None when it is not this program's."""
        at, start = address - returns, 0
        for begin, size in self.code.functions:
            image = self.code.image[start : start + size]
            start += size
            places = (place for place in range(size) if _alike(cpu, at - place, image))
            if (place := next(places, None)) is not None:
                numbers = {
                    native - begin: index
                    for native, (_, index) in zip(self.code.native, self.code.lines, strict=False)
                    if begin <= native < begin + size
                }
                return numbers[max((one for one in numbers if one <= place), default=min(numbers))]
        return None


def _alike(cpu: StillCpu, begin: int, image: bytes) -> bool:
    """Returns whether what is in memory is what became of an image, with other addresses in it."""
    try:
        if cpu.read_memory(begin, len(image[:_BEGIN])) != image[:_BEGIN]:
            return False
        there = cpu.read_memory(begin, len(image))
    except GdbRefused:
        return False
    return sum(one == other for one, other in zip(image, there, strict=True)) >= _ALIKE * len(image)


def programs(scripts: Sequence[Script]) -> list[UnderWay]:
    """Returns the programs that scripts load, each once."""
    found: dict[tuple[Instruction, ...], UnderWay] = {}
    for script in scripts:
        for one in script.operations:
            if isinstance(one, LoadProgram):
                code = tuple(one.program.instructions)
                before = found.get(code, UnderWay(one.name, code, ()))
                found[code] = replace(before, scripts=tuple(dict.fromkeys((*before.scripts, script.name))))
    return list(found.values())


def interpreter_of(frames: Sequence[Frame]) -> int | None:
    """Returns the number of the first frame that is the interpreter's; None where none is."""
    names = [(frame.function or "").partition(".")[0] for frame in frames]
    return next((number for number, name in enumerate(names) if name in INTERPRETERS), None)


def interpreted(cpu: StillCpu, frame: int, scripts: Sequence[Script]) -> str:
    """Returns in words which program of `scripts` the interpreter is at, whose frame has that number on the stack of
    the CPU; why not, where that is not known.

    Compilers may let the register go on to the next instruction before the work of this one is done.
    """
    candidates = programs(scripts)
    found: dict[tuple[UnderWay, int], None] = {}
    for address in _addresses(cpu, only_registers=frame == 0):
        for program, index in _places(cpu, address, candidates):
            if frame == 0:
                found[program, index] = None
            else:  # below the interpreter is what an instruction called
                calls = [one for one in (index - 1, index) if one >= 0 and program.instructions[one].code == CALL]
                found.update(dict.fromkeys((program, one) for one in calls))
    if not found:
        return f"a BPF program that the interpreter runs, at an instruction that is not known: {_why(candidates)}"
    how = "run by the interpreter, which is at or just behind it" if frame == 0 else "run by the interpreter"
    first, *others = (program.at(index, how) for program, index in found)
    return first + "".join(f"; or {other}" for other in others)


def _why(candidates: Sequence[UnderWay]) -> str:
    if not candidates:
        return "no script was under way that loads one"
    return f"neither registers nor stack lead to one of the {len(candidates)} programs under way"


def _addresses(cpu: StillCpu, *, only_registers: bool) -> Iterator[int]:
    """Yields each number in a register, and on the stack, that may be the address of an instruction."""
    numbers = list(cpu.registers().values())
    if not only_registers:
        numbers += _stack(cpu)
    yield from (one for one in dict.fromkeys(numbers) if one >= _KERNEL and one % SIZE == 0)


def _stack(cpu: StillCpu) -> Iterator[int]:
    at, end = cpu.sp - cpu.sp % _CHUNK, cpu.sp + _STACK
    while at < end:
        try:
            words = struct.unpack(f"<{_CHUNK // 8}Q", cpu.read_memory(at, _CHUNK))
        except GdbRefused:
            return  # beyond the stack
        yield from (word for number, word in enumerate(words) if at + 8 * number >= cpu.sp)
        at += _CHUNK


def _places(cpu: StillCpu, address: int, candidates: Sequence[UnderWay]) -> Iterator[tuple[UnderWay, int]]:
    """Yields the programs, and the numbers of the instructions in them, that an address may be of."""
    try:
        here = cpu.read_memory(address, SIZE)
    except GdbRefused:
        return
    for program in candidates:
        count = len(program.instructions)
        for index in range(count):
            if not same_code(program.code[SIZE * index : SIZE * (index + 1)], here):
                continue
            first, last = max(0, index - _AROUND), min(count, index + _AROUND + 1)
            try:
                around = cpu.read_memory(address - SIZE * (index - first), SIZE * (last - first))
            except GdbRefused:
                continue
            if _same(program.code[SIZE * first : SIZE * last], around):
                yield program, index


def _same(given: bytes, inside: bytes) -> bool:
    """Returns whether instructions are what became of those given; the second half of a constant may be anything."""
    pairs = [(given[at : at + SIZE], inside[at : at + SIZE]) for at in range(0, len(given), SIZE)]
    return all(one[0] == 0 or same_code(one, other) for one, other in pairs)


def natively(cpu: StillCpu, frames: Sequence[Frame], compiled: Sequence[Compiled]) -> str:
    """Returns in words which program of those `compiled` a CPU is in that has code without a symbol on its stack; ""
    where there is no such code."""
    nameless = [(number, frame) for number, frame in enumerate(frames) if _nameless(frame)]
    for number, frame in nameless:
        for one in compiled:
            index = one.instruction(cpu, frame.address, returns=number > 0)
            if index is not None:
                return one.program.at(index, "compiled")
    return ""


def nameless(frames: Sequence[Frame]) -> bool:
    """Returns whether a stack has code of the kernel without a symbol, as what a JIT compiled."""
    return any(_nameless(frame) for frame in frames)


def _nameless(frame: Frame) -> bool:
    return frame.function is None and frame.address >= _KERNEL
