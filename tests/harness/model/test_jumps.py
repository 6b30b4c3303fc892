# SPDX-License-Identifier: MIT
"""Every comparison, both operands, both widths; calls and exits."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class
from harness.isa.table import OPCODES, Opcode
from harness.model.interpreter import Returned, Stop, Stopped
from harness.model.value import Partial
from tests.harness.model.running import EXIT, run
from tests.harness.model.test_arithmetic import constants, registers

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "jeq": lambda left, right: not left ^ right,
    "jne": lambda left, right: bool(left ^ right),
    "jgt": lambda left, right: left - right > 0,
    "jge": lambda left, right: left - right >= 0,
    "jlt": lambda left, right: left - right < 0,
    "jle": lambda left, right: left - right <= 0,
    "jset": lambda left, right: any(left >> bit & right >> bit & 1 for bit in range(64)),
}


def conditional() -> list[Opcode]:
    kinds = (Class.JMP, Class.JMP32)
    plain = ("ja", "gotol", "call", "call_local", "call_kfunc", "may_goto", "exit")
    return [opcode for opcode in OPCODES if opcode.opcode_class in kinds and opcode.name not in plain]


def load64(register: int, value: int) -> tuple[Instruction, Instruction]:
    low, high = (ctypes.c_int32(half).value for half in (value, value >> 32))
    return Instruction(0x18, register, imm=low), Instruction(0, imm=high)


@pytest.mark.parametrize("opcode", conditional(), ids=lambda opcode: opcode.name)
@given(left=registers, right=registers, imm=constants)
def test_a_jump_is_taken_when_c_says_so(opcode: Opcode, left: int, right: int, imm: int) -> None:
    name, operand = opcode.name.split("_")
    bits = 32 if name.endswith("32") else 64
    name = name.removesuffix("32")
    signed = name.startswith("js") and name != "jset"
    cast = {
        (64, False): ctypes.c_uint64,
        (32, False): ctypes.c_uint32,
        (64, True): ctypes.c_int64,
        (32, True): ctypes.c_int32,
    }[bits, signed]
    second = imm if operand == "imm" else right
    taken = COMPARISONS["j" + name[2:] if signed else name](cast(left).value, cast(second).value)
    ended = run(
        *load64(1, left),
        *load64(2, right),
        Instruction(opcode.code, 1, 2 if operand == "reg" else 0, off=2, imm=imm if operand == "imm" else 0),
        Instruction(0xB7, 0, imm=0),
        EXIT,
        Instruction(0xB7, 0, imm=1),
        EXIT,
        name="7.2",
    )
    assert ended == Returned(int(taken))


def test_a_branch_on_an_unknown_value_stops_the_run_and_says_why() -> None:
    ended = run(Instruction(0x15, 1, imm=0, off=0), EXIT, context=Partial(0, 0xFF, "a coin"))
    assert isinstance(ended, Stopped) and ended.stop is Stop.UNPREDICTABLE
    assert "a coin" in ended.why and ended.pc == 0


def test_a_branch_that_the_known_bits_decide_goes_on() -> None:
    ended = run(Instruction(0xB7, 0, imm=7), Instruction(0x15, 1, imm=2, off=0), EXIT, context=Partial(1, 0xF0, "x"))
    assert ended == Returned(7)


def test_jumps_without_condition() -> None:
    forward = (Instruction(0xB7, 0, imm=1), Instruction(0x05, off=1), Instruction(0xB7, 0, imm=2), EXIT)
    assert run(*forward) == Returned(1)
    long = (Instruction(0xB7, 0, imm=1), Instruction(0x06, imm=1), Instruction(0xB7, 0, imm=2), EXIT)
    assert run(*long, name="7.2") == Returned(1)
    assert isinstance(run(*long, name="6.1"), Stopped)


def test_an_own_function_has_its_own_stack_and_keeps_r6_to_r9() -> None:
    ended = run(
        Instruction(0xB7, 6, imm=5),
        Instruction(0x7A, 10, off=-8, imm=1),
        Instruction(0x85, src=1, imm=3),
        Instruction(0x79, 1, 10, off=-8),
        Instruction(0x0F, 0, 1),
        Instruction(0x05, off=3),
        Instruction(0xB7, 6, imm=9),
        Instruction(0x7A, 10, off=-8, imm=100),
        Instruction(0xB7, 0, imm=20),
        EXIT,
        name="5.10",
    )
    # Instruction 5 jumps over the function to the last exit.
    assert ended == Returned(21)


def test_a_program_that_never_ends_is_stopped() -> None:
    ended = run(Instruction(0x05, off=-1), name="5.10")
    assert isinstance(ended, Stopped) and ended.stop is Stop.ENDLESS


@given(value=st.integers(0, (1 << 64) - 1))
def test_run_21_the_result_is_the_whole_register(value: int) -> None:
    assert run(*load64(0, value), EXIT) == Returned(value)
