# SPDX-License-Identifier: MIT
"""Programs as a kernel before 5.0 loads them, of which it tells nobody: from records of its JIT compiler.

bpf_int_jit_compile() (arch/*/net/bpf_jit_comp.c) is called for every program that the verifier accepted, also where the
compiler is switched off. At its begin there is the program as the verifier left it; where it frees its array of places
there are the native code as well, and where each instruction ends in it. They are recorded as the kernel comes by.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.isa.instruction import SIZE
from harness.lockstep.dispatch import M64, Read, disassembler
from harness.lockstep.images import begins, origins
from harness.lockstep.registers import GDB_NUMBERS
from harness.lowering.watch import LoadedCode
from harness.release import Release, newest, release
from harness.script.operations import LoadProgram, Script
from harness.script.outcome import Outcome
from hil.errors import BenchError, UserError
from hil.gdb.table import SymbolTable
from hil.recorder import Group, Record, Window

COMPILER, FREE, INTERPRETER = "bpf_int_jit_compile", "kfree", "__bpf_prog_run"
_MOST = 4096
"""BPF_MAXINSNS."""
_PLACE_BYTES = 4
_FIRST_PLACE = 3
"""The word of a record, behind the address, the array's and the program's, with which the array begins."""
_IMAGE_BYTES = 1 << 16
_WORD = 8


@dataclass(frozen=True)
class _Layout:
    """Offsets in `struct bpf_prog` (include/linux/filter.h): the number of instructions (32 bits), the function that
    runs it, the instructions."""

    length: int
    function: int
    instructions: int


_LAYOUTS: Mapping[Release, _Layout | None] = {(4, 1): _Layout(4, 32, 40), (4, 2): None, (5, 0): None}
"""By the release that made it so; None where nobody looked it up, or the kernel tells by itself."""
_ARGUMENT = {"x86_64": "rdi", "arm64": "x0"}
_CALLS = ("call", "bl")


@dataclass(frozen=True)
class Loads:
    """Where a kernel comes by with a program it loads, and what is recorded there."""

    arch: str
    layout: _Layout
    place: int
    group: Group
    interpreter: range
    """The addresses of the function that runs what the JIT compiler refuses."""

    def codes(self, script: Script, outcomes: Sequence[Outcome], records: Iterable[Record]) -> list[LoadedCode]:
        """Returns the loaded programs of a script, in their order, one for each load that succeeded; empty ones for
        those that were not found."""
        left: Sequence[Record] = sorted(records, key=lambda one: one.order)
        found = []
        for operation, outcome in zip(script.operations, outcomes, strict=False):
            if not isinstance(operation, LoadProgram) or outcome.errno is not None:
                continue
            code, left = self._code(operation, left)
            found.append(code)
        return found

    def _code(self, operation: LoadProgram, records: Sequence[Record]) -> tuple[LoadedCode, Sequence[Record]]:
        """Returns a program's code, from the first record that fits, and the records behind it."""
        for number, record in enumerate(records):
            program = _bytes(record.words[-_words(self.group.windows[-1].size) :])
            (length,) = struct.unpack_from("<I", program, self.layout.length)
            translated = program[self.layout.instructions :][: SIZE * length]
            lines = origins(translated, operation)
            if lines is not None:
                native = self._native(record, translated, lines) if len(self.group.windows) > 1 else ((), b"", ())
                return LoadedCode(operation.name, translated, lines, *native), records[number + 1 :]
        return LoadedCode(operation.name), records

    def _native(
        self, record: Record, translated: bytes, lines: Sequence[tuple[int, int]]
    ) -> tuple[tuple[int, ...], bytes, tuple[tuple[int, int], ...]]:
        """Returns the address of each line's native code, the image, and the address and size of its only function;
        nothing for a program that the compiler refused, so that the interpreter runs it."""
        at = _FIRST_PLACE + _words(_PLACE_BYTES * _MOST)
        ends = struct.unpack(f"<{_MOST}i", _bytes(record.words[_FIRST_PLACE:at]))
        address, image = record.words[at], _bytes(record.words[at + 1 : at + 1 + _words(_IMAGE_BYTES)])
        if address in self.interpreter:
            return (), b"", ()
        begin = begins(self.arch, ends[: len(translated) // SIZE], translated, image)
        return tuple(address + begin[number] for number, _ in lines), image, ((address, len(image)),)


def loads(arch: str, era: str, symbols: SymbolTable, read: Read, *, compiled: bool) -> Loads:
    """Returns where a kernel's loads are seen; with what its JIT compiler made of them when they are `compiled`.

    Raises UserError for a release whose structures nobody looked up, and BenchError when the compiler's code does not
    look like any that is known.
    """
    layout = newest(_LAYOUTS, release(era))
    if layout is None:
        raise UserError(
            f"Linux {era} does not tell what it makes of a program, and its structures are not known",
            remedy="choose a lane of 4.1, or of 5.0 and later; or add a row to harness/lockstep/loads.py",
        )
    numbers = GDB_NUMBERS[arch]
    program = layout.instructions + SIZE * _MOST
    found = {one.name: one for one in symbols.symbols if one.name in (COMPILER, FREE, INTERPRETER)}
    if len(found) != 3:
        raise BenchError(
            f"the kernel lacks one of the symbols {COMPILER}, {FREE} and {INTERPRETER}, so its loads are not seen",
            remedy="its kernel needs CONFIG_KALLSYMS and CONFIG_BPF_JIT",
        )
    start, interpreter = found[COMPILER].address, found[INTERPRETER]
    inside = range(interpreter.address, interpreter.address + interpreter.size)
    if not compiled:
        return Loads(arch, layout, start, Group((numbers[_ARGUMENT[arch]],), (Window(1, 0, program),)), inside)
    code = read(start, found[COMPILER].size)
    instructions = [one for one in disassembler(arch).disasm(code, start) if one.id]
    calls = [one for one in instructions if one.mnemonic in _CALLS and one.operands[0].imm & M64 == found[FREE].address]
    moves = [one for one in instructions if one.mnemonic == "mov" and one.op_str.endswith(f", {_ARGUMENT[arch]}")]
    kept = moves[0].reg_name(moves[0].operands[0].reg) if moves else ""
    if len(calls) != 1 or kept not in numbers:
        raise BenchError(
            f"{COMPILER} calls {FREE} {len(calls)} times, and keeps its program in {kept or 'no register'}",
            remedy="this kernel's JIT compiler is built in a way that is not known; report it with the kernel",
        )
    windows = (
        Window(1, 0, _PLACE_BYTES * _MOST),
        Window(2, layout.function, _WORD),
        Window(_FIRST_PLACE + _words(_PLACE_BYTES * _MOST), 0, _IMAGE_BYTES),
        Window(2, 0, program),
    )
    return Loads(arch, layout, calls[0].address, Group((numbers[_ARGUMENT[arch]], numbers[kept]), windows), inside)


def _words(size: int) -> int:
    return size // _WORD


def _bytes(words: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(words)}Q", *words)
