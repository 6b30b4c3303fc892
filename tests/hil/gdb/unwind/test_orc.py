# SPDX-License-Identifier: MIT
"""The ORC unwinder on a hand-made stack and table."""

from __future__ import annotations

import struct

import pytest

from hil.gdb.table import Symbol, SymbolTable
from hil.gdb.unwind.orc import Orc
from tests.hil.gdb.unwind.memory import FakeCpu

BASE = 0xFFFF_FFFF_8100_0000
IPS, ROWS, STACK, PAGE = BASE + 0x10_0000, BASE + 0x20_0000, BASE + 0x30_0000, BASE + 0x3F00_0000
FUNCTIONS = ("entry", "syscall", "probed", "ftrace_regs_caller", "exception", "handler", "schedule")
ADDRESS = {name: BASE + 0x100 * index for index, name in enumerate(FUNCTIONS)}

# Linux 6.4 to 6.19: sp_offset, bp_offset, sp_reg | bp_reg << 4 | kind << 8
SP, CALL, REGS = 5, 0x200, 0x300
TABLE = {
    ADDRESS["entry"]: (0, 0, 0x100),  # the end of the stack
    ADDRESS["syscall"]: (8, 0, SP | CALL),
    ADDRESS["probed"]: (8, 0, SP | CALL),
    ADDRESS["ftrace_regs_caller"]: (24, 0, SP | CALL),
    ADDRESS["exception"]: (0, 0, SP | REGS),
    ADDRESS["handler"]: (8, 0, SP | CALL),
    ADDRESS["handler"] + 0x10: (32, -16, SP | 1 << 4 | CALL),
    ADDRESS["schedule"]: (8, 0, SP | CALL),
    ADDRESS["schedule"] + 0x100: (0, 0, 0),
}


def machine(rip: int, rsp: int = STACK, rbp: int = 0) -> FakeCpu:
    cpu = FakeCpu({"rip": rip, "rsp": rsp, "rbp": rbp})
    for index, (address, row) in enumerate(TABLE.items()):
        cpu.write(IPS + 4 * index, struct.pack("<i", address - (IPS + 4 * index)))
        cpu.write(ROWS + 6 * index, struct.pack("<hhH", *row))
    for name in FUNCTIONS:
        cpu.write(ADDRESS[name], name.encode().ljust(0x100, b"."))
    return cpu


def unwound(cpu: FakeCpu) -> list[str]:
    symbols = SymbolTable(
        (
            *(Symbol(name, address, True, size=0x100) for name, address in ADDRESS.items()),
            Symbol("__start_orc_unwind_ip", IPS, False),
            Symbol("__stop_orc_unwind_ip", IPS + 4 * len(TABLE), False),
            Symbol("__start_orc_unwind", ROWS, False),
        )
    )
    assert Orc.possible(symbols)
    return [f"{frame.function}+{frame.offset:#x}" for frame in Orc(symbols, "6.12.1").frames(cpu)]


def test_calls_up_to_the_end_of_the_stack() -> None:
    cpu = machine(ADDRESS["probed"])
    cpu.words(STACK, ADDRESS["syscall"] + 0x20, ADDRESS["entry"] + 0x40)
    assert unwound(cpu) == ["probed+0x0", "syscall+0x20", "entry+0x40"]


def test_the_row_of_the_place_inside_the_function_counts() -> None:
    cpu = machine(ADDRESS["handler"] + 0x14)
    cpu.words(STACK, 0, 0, 0, ADDRESS["entry"] + 0x40)
    assert unwound(cpu) == ["handler+0x14", "entry+0x40"]


def test_a_call_that_ends_a_function_belongs_to_it_and_to_its_row() -> None:
    cpu = machine(ADDRESS["handler"])
    cpu.words(STACK, ADDRESS["probed"] + 0x100, ADDRESS["entry"] + 0x40, 0, 0)
    assert unwound(cpu) == ["handler+0x0", "probed+0x100", "entry+0x40"]


@pytest.mark.parametrize(("cs", "expected"), [(0x10, ["probed+0x3", "entry+0x40"]), (0x33, [])])
def test_an_exception_leads_to_what_it_interrupted(cs: int, expected: list[str]) -> None:
    cpu = machine(ADDRESS["handler"])
    registers, interrupted = STACK + 8, STACK + 0x200
    cpu.words(STACK, ADDRESS["exception"] + 0x8)
    cpu.words(registers, *[0] * 21)
    cpu.words(registers + 128, ADDRESS["probed"] + 3, cs, 0, interrupted, 0)
    cpu.words(interrupted, ADDRESS["entry"] + 0x40)
    assert unwound(cpu) == ["handler+0x0", "exception+0x8", *expected]


def test_a_copy_of_the_ftrace_entry_is_unwound_like_the_original() -> None:
    cpu = machine(ADDRESS["handler"])
    cpu.write(PAGE, cpu.read_memory(ADDRESS["ftrace_regs_caller"], 64))
    cpu.words(STACK, PAGE + 0x30, 0, 0, ADDRESS["probed"] + 5, ADDRESS["entry"] + 0x40)
    assert unwound(cpu) == ["handler+0x0", "ftrace_regs_caller+0x30", "probed+0x5", "entry+0x40"]


def test_code_without_a_table_is_unwound_by_its_frame_pointer() -> None:
    cpu = machine(PAGE + 0x30, rbp=STACK + 0x80)
    cpu.write(PAGE, bytes(64))
    cpu.words(STACK + 0x80, 0, ADDRESS["entry"] + 0x40)
    assert unwound(cpu) == ["None+0x0", "entry+0x40"]


def test_a_stack_that_leads_nowhere_ends_the_backtrace() -> None:
    assert unwound(machine(ADDRESS["probed"])) == ["probed+0x0"]
