# SPDX-License-Identifier: MIT
"""A program of the script as the kernel has it, read from the kernel's own structures."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.debug.inside.data import ProgramData
from harness.debug.inside.guest import Structures, half, memory, word
from harness.isa.instruction import SIZE, Instruction, decode
from harness.lockstep.images import begins, origins
from harness.lockstep.inside import PRIVATE, same_code, starts
from harness.lowering.watch import line_of
from harness.script.operations import LoadProgram, Program

_LINE_BYTES, _POINTER = 16, 8
_LAST_BYTES = 64
"""The most that a compiler makes of the last instruction, where it does not tell where its code ends."""
_LIKE = 0.3
"""The share of a program's instructions that must be as they were given."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A loaded program: `struct bpf_prog` at `pointer`, `length` instructions at `instructions`, which come from the
    script's by `lines`; `native` has the address of the code of each line, `images` where the compiler put it."""

    number: int
    data: ProgramData
    pointer: int
    instructions: int
    length: int
    lines: Sequence[tuple[int, int]]
    native: Sequence[int] = ()
    images: Sequence[range] = ()

    def numbered(self, number: int) -> Loaded:
        """Returns it with another number of its program."""
        return replace(self, number=number)

    @cached_property
    def given(self) -> Sequence[Instruction]:
        """The script's instructions."""
        return decode(bytes.fromhex(self.data.code))

    @cached_property
    def text(self) -> Mapping[int, str]:
        """The text of the script's instructions by number."""
        return dict(self.data.text)

    @cached_property
    def kept(self) -> Sequence[int]:
        """The script's instructions that the kernel still has, in order."""
        return sorted({index for _, index in self.lines})

    @cached_property
    def by_address(self) -> Mapping[int, tuple[int, ...]]:
        """The script's instructions that begin at an address: of native code, or of the kernel's instructions."""
        found: dict[int, tuple[int, ...]] = {}
        places = self.native or [self.instructions + SIZE * at for at, _ in self.lines]
        for address, (_, index) in zip(places, self.lines, strict=False):
            found[address] = (*found.get(address, ()), index)
        return found

    def address_of(self, index: int) -> int | None:
        """Returns where an instruction begins; None for one that the kernel has not."""
        return next((address for address, here in self.by_address.items() if index in here), None)

    def next_kept(self, index: int) -> int | None:
        """Returns the instruction, or the first one behind it that the kernel still has."""
        return next((one for one in self.kept if one >= index), None)

    @cached_property
    def private(self) -> Sequence[range]:
        """The functions that have a stack of their own for each CPU."""
        return [one for one in self.images if PRIVATE in memory(one.start, len(one))]

    def within(self, address: int) -> tuple[int, ...]:
        """Returns the script's instructions whose native code an address is in; empty outside of it."""
        if not any(address in image for image in self.images):
            return ()
        start = max((one for one in self.by_address if one <= address), default=None)
        return () if start is None else self.by_address[start]


def from_lines(programs: Sequence[ProgramData], pointer: int, structures: Structures) -> Loaded | None:
    """Returns the program at `struct bpf_prog`, by the lines that it was loaded with; None when it is not one of
    `programs`, or one of their functions."""

    def field(name: str) -> int:
        return pointer + structures.offset("bpf_prog", name)

    def more(name: str) -> int:
        return aux + structures.offset("bpf_prog_aux", name)

    aux, length, start = word(field("aux")), half(field("len")), field("insnsi")
    count = half(more("nr_linfo"))
    rows = memory(word(more("linfo")), _LINE_BYTES * count) if count else b""
    lines = [line_of(row) for row in struct.iter_unpack("<4I", rows)]
    # A function of a program has the lines of the whole program, which comes as well: jit_subprogs().
    if any(at >= length for at, _ in lines):
        return None
    code = memory(start, SIZE * length)
    number = max(range(len(programs)), key=lambda one: _likeness(programs[one], code, lines), default=None)
    if number is None or _likeness(programs[number], code, lines) <= _LIKE:
        return None
    table = word(more("jited_linfo"))
    native = struct.unpack(f"<{count}Q", memory(table, _POINTER * count)) if table else ()
    own = [pointer]
    if functions := half(more("func_cnt")):
        own = list(struct.unpack(f"<{functions}Q", memory(word(more("func")), _POINTER * functions)))
    function, size = structures.offset("bpf_prog", "bpf_func"), structures.offset("bpf_prog", "jited_len")
    images = [range(begin := word(one + function), begin + half(one + size)) for one in own] if native else []
    return Loaded(number, programs[number], pointer, start, length, lines, native, images)


def from_places(
    programs: Sequence[ProgramData], pointer: int, structures: Structures, arch: str, places: int | None
) -> Loaded | None:
    """Returns the program of a kernel that knows no lines; `places` is the address of its compiler's array of where
    each instruction ends, None for one that runs in the interpreter."""

    def field(name: str) -> int:
        return pointer + structures.offset("bpf_prog", name)

    length, start = half(field("len")), field("insnsi")
    code = memory(start, SIZE * length)
    for number, data in enumerate(programs):
        lines = origins(code, _operation(data))
        if lines is None:
            continue
        if places is None:
            return Loaded(number, data, pointer, start, length, lines)
        image = word(field("bpf_func"))
        ends = struct.unpack(f"<{length}i", memory(places, 4 * length))
        begin = begins(arch, ends, code, memory(image, _POINTER * 2))
        native = [image + begin[at] for at, _ in lines]
        return Loaded(number, data, pointer, start, length, lines, native, [range(image, max(native) + _LAST_BYTES)])
    return None


def _likeness(data: ProgramData, code: bytes, lines: Sequence[tuple[int, int]]) -> float:
    """Returns how much of a program is in the kernel's code as it was given: between 0 and 1. The kernel rewrites some
    instructions, and removes others."""
    given = bytes.fromhex(data.code)
    known = set(starts(given))
    if any(index not in known for _, index in lines):
        return 0.0
    alike = sum(
        same_code(given[SIZE * index : SIZE * (index + 1)], code[SIZE * at : SIZE * (at + 1)]) for at, index in lines
    )
    return alike / max(len(known), 1)


def _operation(data: ProgramData) -> LoadProgram:
    return LoadProgram(data.name, data.kind, Program(decode(bytes.fromhex(data.code))))
