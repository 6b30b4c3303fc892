# SPDX-License-Identifier: MIT
"""Frame records of every architecture on hand-made stacks."""

from __future__ import annotations

import struct

import pytest

from hil.gdb.registers import REGISTERS
from hil.gdb.table import Symbol, SymbolTable
from hil.gdb.unwind.choice import CHAINS
from hil.gdb.unwind.frame_pointer import FramePointer
from tests.hil.gdb.unwind.memory import FakeCpu

TEXT, STACK = 0xFFFF_8000_0801_0000, 0xFFFF_8000_0A00_0000
FUNCTIONS = ("entry", "caller", "probed", "vector", "handler")
ADDRESS = {name: TEXT + 0x100 * index for index, name in enumerate(FUNCTIONS)}
SYMBOLS = SymbolTable(Symbol(name, address, True, size=0x100) for name, address in ADDRESS.items())
PROLOGUE_ARM64 = struct.pack(
    "<III", 0xD503233F, 0xA9BF7BFD, 0x910003FD
)  # paciasp; stp x29, x30, [sp, #-16]!; mov x29, sp
# nop; nop; addi sp, sp, -32; sd ra, 24(sp); sd s0, 16(sp); addi s0, sp, 32; once compressed, once not
PROLOGUE_RISCV64 = struct.pack("<II4H", 0x13, 0x13, 0x1101, 0xEC06, 0xE822, 0x1000)
PROLOGUE_RISCV64_LONG = struct.pack("<6I", 0x13, 0x13, 0xFE010113, 0x00113C23, 0x00813823, 0x02010413)
PROLOGUE_X86 = bytes.fromhex("0f1f440000 55 4889e5")  # nop; push %rbp; mov %rsp,%rbp


def arm64(pc: int, *, fp: int, lr: int) -> FakeCpu:
    cpu = FakeCpu({"pc": pc, "sp": STACK, "x29": fp, "x30": lr})
    for address in ADDRESS.values():
        cpu.write(address, PROLOGUE_ARM64.ljust(0x100, b"\0"))
    return cpu


def x86(pc: int, *, fp: int, sp: int = STACK) -> FakeCpu:
    cpu = FakeCpu({"rip": pc, "rsp": sp, "rbp": fp})
    for address in ADDRESS.values():
        cpu.write(address, PROLOGUE_X86.ljust(0x100, b"\x90"))
    return cpu


def riscv64(pc: int, *, fp: int, ra: int, prologue: bytes) -> FakeCpu:
    cpu = FakeCpu({"pc": pc, "sp": STACK, "fp": fp, "ra": ra})
    for address in ADDRESS.values():
        cpu.write(address, prologue.ljust(0x100, b"\0"))
    return cpu


def unwound(cpu: FakeCpu) -> list[str]:
    arch = "riscv64" if "ra" in cpu.registers() else "arm64" if "pc" in cpu.registers() else "x86_64"
    frames = FramePointer(SYMBOLS, REGISTERS[arch], CHAINS[arch].convention).frames(cpu)
    return [f"{frame.function}+{frame.offset:#x}" for frame in frames]


@pytest.mark.parametrize(("offset", "linked"), [(0, False), (4, False), (8, False), (12, True)])
def test_arm64_takes_the_link_register_until_the_record_is_linked(offset: int, linked: bool) -> None:
    cpu = arm64(ADDRESS["probed"] + offset, fp=STACK, lr=ADDRESS["caller"] + 0x20)
    cpu.words(STACK, 0, ADDRESS["entry"] + 0x40)
    middle = [] if linked else ["caller+0x20"]
    assert unwound(cpu) == [f"probed+{offset:#x}", *middle, "entry+0x40"]


@pytest.mark.parametrize("stackframe", [288, 296, 304])
def test_arm64_exceptions_lead_to_what_they_interrupted(stackframe: int) -> None:
    registers, last = STACK + 0x400, STACK + 0x800
    record = registers + stackframe
    marked = stackframe == 296
    cpu = arm64(ADDRESS["handler"] + 0x10, fp=STACK, lr=0)
    cpu.words(STACK, record, ADDRESS["vector"] + 0x64)
    cpu.words(registers, *[0] * 48)
    cpu.words(registers + 232, last, ADDRESS["caller"] + 0x20, STACK, ADDRESS["probed"])
    cpu.words(record, *((0, 0, 2) if marked else (last, ADDRESS["probed"])))
    cpu.words(last, 0, ADDRESS["entry"] + 0x40)
    assert unwound(cpu) == ["handler+0x10", "vector+0x64", "probed+0x0", "caller+0x20", "entry+0x40"]


def test_arm64_signatures_are_taken_off_return_addresses() -> None:
    cpu = arm64(ADDRESS["probed"] + 0x10, fp=STACK, lr=0)
    signed = (ADDRESS["caller"] + 0x20) & ~(0xFF7F << 48) | 0x12 << 56
    cpu.words(STACK, 0, signed | 1 << 55)
    assert unwound(cpu) == ["probed+0x10", "caller+0x20"]


@pytest.mark.parametrize(("offset", "at"), [(0, 0), (5, 0), (6, 8)])
def test_x86_takes_the_top_of_the_stack_until_the_record_is_linked(offset: int, at: int) -> None:
    cpu = x86(ADDRESS["probed"] + offset, fp=STACK + 0x80)
    cpu.words(STACK, 0, 0)
    cpu.words(STACK + at, ADDRESS["caller"] + 0x20)
    cpu.words(STACK + 0x80, 0, ADDRESS["entry"] + 0x40)
    cpu.words(STACK + 0x90, *[0] * 21)
    assert unwound(cpu) == [f"probed+{offset:#x}", "caller+0x20", "entry+0x40"]


def test_x86_exceptions_lead_to_what_they_interrupted() -> None:
    registers, last, interrupted = STACK + 16, STACK + 0x800, STACK + 0x400
    cpu = x86(ADDRESS["handler"] + 0x10, fp=STACK)
    cpu.words(STACK, last, ADDRESS["vector"] + 0x24)
    cpu.words(registers, *[0] * 21)
    cpu.words(registers + 32, last)
    cpu.words(registers + 128, ADDRESS["probed"], 0x10, 0, interrupted, 0)
    cpu.words(interrupted, ADDRESS["caller"] + 0x20)
    cpu.words(last, 0, ADDRESS["entry"] + 0x40)
    cpu.words(last + 16, *[0] * 21)
    assert unwound(cpu) == ["handler+0x10", "vector+0x24", "probed+0x0", "caller+0x20", "entry+0x40"]


def test_a_record_in_user_space_ends_the_backtrace() -> None:
    cpu = x86(ADDRESS["probed"] + 0x10, fp=0x7FFF_FFFF_0000)
    assert unwound(cpu) == ["probed+0x10"]


def test_a_chain_that_leads_in_circles_ends() -> None:
    cpu = arm64(ADDRESS["probed"] + 0x10, fp=STACK, lr=0)
    cpu.words(STACK - 0x200, *[0] * 0x60)
    cpu.words(STACK, STACK, ADDRESS["caller"])
    assert 10 < len(unwound(cpu)) < 100


def test_x86_copies_of_the_ftrace_entry_have_its_name() -> None:
    copy = 0xFFFF_FFFF_A000_0000
    symbols = SymbolTable((*SYMBOLS.symbols, Symbol("ftrace_regs_caller", TEXT + 0x1000, True, size=0x100)))
    cpu = x86(ADDRESS["handler"] + 0x10, fp=STACK)
    for address in (copy, TEXT + 0x1000):
        cpu.write(address, bytes(range(32)))
    cpu.words(STACK, STACK + 0x80, copy + 0xD5, *[0] * 21)
    cpu.words(STACK + 0x80, 0, ADDRESS["entry"] + 0x40)
    frames = list(FramePointer(symbols, REGISTERS["x86_64"], CHAINS["x86_64"].convention).frames(cpu))
    assert [frame.function for frame in frames] == ["handler", "ftrace_regs_caller", "entry"]
    assert (frames[1].address, frames[1].offset) == (copy + 0xD5, 0xD5)


@pytest.mark.parametrize(
    ("prologue", "offset", "linked"),
    [
        (PROLOGUE_RISCV64, 0, False),
        (PROLOGUE_RISCV64, 14, False),
        (PROLOGUE_RISCV64, 16, True),
        (PROLOGUE_RISCV64_LONG, 20, False),
        (PROLOGUE_RISCV64_LONG, 24, True),
    ],
)
def test_riscv64_takes_the_return_address_register_until_the_record_is_linked(
    prologue: bytes, offset: int, linked: bool
) -> None:
    """On riscv64 the record ends at the address in the frame pointer."""
    cpu = riscv64(ADDRESS["probed"] + offset, fp=STACK, ra=ADDRESS["caller"] + 0x20, prologue=prologue)
    cpu.words(STACK - 16, 0, ADDRESS["entry"] + 0x40)
    middle = [] if linked else ["caller+0x20"]
    assert unwound(cpu) == [f"probed+{offset:#x}", *middle, "entry+0x40"]


@pytest.mark.parametrize("kernel", [True, False])
def test_riscv64_exceptions_lead_to_what_they_interrupted(kernel: bool) -> None:
    registers, sp, last = STACK + 0x400, STACK + 0x600, STACK + 0x800
    cpu = riscv64(ADDRESS["handler"] + 0x20, fp=registers, ra=0, prologue=PROLOGUE_RISCV64)
    cpu.words(registers - 16, sp, ADDRESS["vector"] + 0x10)
    cpu.words(registers, ADDRESS["probed"], ADDRESS["caller"] + 0x20, sp)
    cpu.words(registers + 64, last)
    cpu.words(registers + 256, 0x120 if kernel else 0x20)
    cpu.words(last - 16, 0, ADDRESS["entry"] + 0x40)
    cpu.words(sp - 16, 0, 0)
    interrupted = ["probed+0x0", "caller+0x20", "entry+0x40"] if kernel else []
    assert unwound(cpu) == ["handler+0x20", "vector+0x10", *interrupted]
