# SPDX-License-Identifier: MIT
"""Finds the interpreter's jump table in a kernel's machine code, and the machine registers that it keeps its state in.

`___bpf_prog_run()` (kernel/bpf/core.c; `__bpf_prog_run()` in 4.1) jumps through a table of 256 labels, one for each
opcode. The table is known by its content: most of its entries are the label of opcodes that do not exist, as entry 0,
and more than a hundred lie in the function. At the label of `ALU64 | ADD | X`, the first access by an index is to the
array of registers, and the first one without is to the instruction. No debug information is needed, and no row for each
kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import capstone
from capstone import arm64, x86

from harness.lockstep.registers import GDB_NUMBERS
from hil.errors import BenchError, UserError

Read = Callable[[int, int], bytes]
"""Reads the guest's memory: an address, a number of bytes."""

_ADD = 0x0F
_ENTRIES = 256
_MOST_FUNCTION = 0x8000
_LABELS_AT_LEAST, _INSIDE_AT_LEAST = 50, 100
_LABEL_BYTES = 160
_WORD = 8
M64 = (1 << 64) - 1
_KERNEL = 0xFFFF << 48


@dataclass(frozen=True)
class Dispatch:
    """The labels of all 256 opcodes; gdb's numbers of the registers with the instruction's address and with the address
    `offset` bytes before the array of R0 to R10."""

    labels: tuple[int, ...]
    instruction: int
    array: int
    offset: int


def disassembler(arch: str) -> capstone.Cs:
    """Returns a disassembler that goes on behind what is no instruction; raises UserError when it has none."""
    modes = {
        "x86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
        "arm64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM),
    }
    if arch not in modes:
        raise UserError(f"lockstep has no tables for {arch}", remedy=f"choose a lane of {' or '.join(modes)}")
    made = capstone.Cs(*modes[arch])
    made.detail = True
    made.skipdata = True
    return made


def find(arch: str, start: int, size: int, read: Read) -> Dispatch:
    """Returns the dispatch of the interpreter at `start`, of `size` bytes (0 where it is unknown).

    Raises BenchError when the code does not look like any that is known.
    """
    code = read(start, min(size or _MOST_FUNCTION, _MOST_FUNCTION))
    tables = {labels for address in _constants(arch, code, start) if (labels := _table(address, start, code, read))}
    if len(tables) != 1:
        raise BenchError(
            f"{len(tables)} jump tables found in the interpreter at {start:#x}, instead of one",
            remedy="this kernel's interpreter is built in a way that lockstep does not know; report it with the kernel",
        )
    (labels,) = tables
    at = labels[_ADD] - start
    instruction, array, offset = _state(arch, code[at : at + _LABEL_BYTES], labels[_ADD])
    numbers = GDB_NUMBERS[arch]
    if instruction not in numbers or array not in numbers:
        raise BenchError(
            f"the interpreter's state was not found at its label {labels[_ADD]:#x}: {instruction!r}, {array!r}",
            remedy="this kernel's interpreter is built in a way that lockstep does not know; report it with the kernel",
        )
    return Dispatch(labels, numbers[instruction], numbers[array], offset)


def _table(address: int, start: int, code: bytes, read: Read) -> tuple[int, ...] | None:
    """Returns the entries of the jump table at an address, None when there is none."""
    if address & _KERNEL != _KERNEL:
        return None
    try:
        labels = struct.unpack(f"<{_ENTRIES}Q", read(address, _ENTRIES * _WORD))
    except BenchError:
        return None  # a constant that is no address
    inside = [label for label in labels if start <= label < start + len(code)]
    if max(set(labels), key=labels.count) != labels[0] or not start <= labels[_ADD] < start + len(code):
        return None
    return labels if len(set(labels)) >= _LABELS_AT_LEAST and len(inside) >= _INSIDE_AT_LEAST else None


def _constants(arch: str, code: bytes, start: int) -> Iterator[int]:
    """Yields every address that the code names."""
    found: set[int] = set()
    pages: dict[int, int] = {}
    for one in disassembler(arch).disasm(code, start):
        if not one.id:
            continue
        operands = one.operands
        if arch == "x86_64":
            for operand in operands:
                if operand.type == x86.X86_OP_IMM:
                    found.add(operand.imm & M64)
                elif operand.type == x86.X86_OP_MEM and operand.mem.base == x86.X86_REG_RIP:
                    found.add((one.address + one.size + operand.mem.disp) & M64)
                elif operand.type == x86.X86_OP_MEM and not operand.mem.base:
                    found.add(operand.mem.disp & M64)
        elif one.mnemonic in ("adrp", "adr"):
            pages[operands[0].reg] = operands[1].imm & M64
            found.add(pages[operands[0].reg])
        elif one.mnemonic == "add" and operands[1].reg in pages and operands[2].type == arm64.ARM64_OP_IMM:
            moved = pages[operands[1].reg] + (operands[2].imm << operands[2].shift.value) & M64
            pages[operands[0].reg] = moved
            found.add(moved)
    yield from sorted(found)


def _state(arch: str, code: bytes, label: int) -> tuple[str, str, int]:
    """Returns the names of the registers with the instruction and with the array, and the array's offset; empty names
    for what is not found."""
    instruction, array = "", ("", 0)
    sums: dict[int, tuple[str, int]] = {}
    for one in disassembler(arch).disasm(code, label):
        for operand in one.operands if one.id else ():
            if operand.type != (x86.X86_OP_MEM if arch == "x86_64" else arm64.ARM64_OP_MEM):
                continue
            memory, base = operand.mem, one.reg_name(operand.mem.base)
            if memory.index and not array[0] and getattr(memory, "scale", _WORD) == _WORD:
                array = sums.get(memory.base, (base, memory.disp))
            elif not memory.index and memory.disp in (0, 1) and not instruction:
                instruction = base
        if arch == "arm64" and one.mnemonic == "add":
            array = array if array[0] else _indexed(one, sums)
            if one.operands[2].type == arm64.ARM64_OP_IMM:
                sums[one.operands[0].reg] = one.reg_name(one.operands[1].reg), one.operands[2].imm
        if instruction and array[0]:
            break
    return instruction, *array


def _indexed(add: capstone.CsInsn, sums: dict[int, tuple[str, int]]) -> tuple[str, int]:
    """Returns the base of an address that arm64 computes by itself: `add x1, base, x0, lsl #3`."""
    _, base, index = add.operands
    if index.type != arm64.ARM64_OP_REG or index.shift.value != 3:
        return "", 0
    return sums.get(base.reg, (str(add.reg_name(base.reg)), 0))


def machine_code(arch: str, code: bytes, start: int) -> Sequence[str]:
    """Returns native code as text, one line for each instruction."""
    return [f"{one.address:#x}: {one.mnemonic} {one.op_str}".rstrip() for one in disassembler(arch).disasm(code, start)]
