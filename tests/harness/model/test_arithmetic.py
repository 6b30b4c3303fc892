# SPDX-License-Identifier: MIT
"""Every arithmetic opcode, both operands, both widths, against the C compiler's types as ctypes has them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from fractions import Fraction
from math import trunc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class
from harness.isa.table import OPCODES, Opcode
from harness.model.eras import era, every_era
from harness.model.instructions.table import instruction_table
from harness.model.interpreter import Returned, Stop, Stopped
from tests.harness.model.running import EXIT, execute, run

EDGES = [0, 1, 2, 31, 32, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, 1 << 63, (1 << 63) - 1, (1 << 64) - 1]
registers = st.one_of(st.sampled_from(EDGES), st.integers(0, (1 << 64) - 1))
constants = st.one_of(
    st.sampled_from([0, 1, -1, 31, 32, 63, -(1 << 31), (1 << 31) - 1]), st.integers(-(1 << 31), (1 << 31) - 1)
)


def unsigned(value: int, bits: int) -> int:
    return (ctypes.c_uint64 if bits == 64 else ctypes.c_uint32)(value).value


def signed(value: int, bits: int) -> int:
    return {64: ctypes.c_int64, 32: ctypes.c_int32, 16: ctypes.c_int16, 8: ctypes.c_int8}[bits](value).value


def bit_string(value: int, bits: int) -> str:
    return format(unsigned(value, bits), f"0{bits}b")


def shifted_left(left: int, right: int, bits: int) -> int:
    return int(bit_string(left, bits)[right:] + "0" * right, 2)


def shifted_right(left: int, right: int, bits: int, fill: str = "0") -> int:
    return int((fill * right + bit_string(left, bits))[:bits], 2)


def shifted_right_signed(left: int, right: int, bits: int) -> int:
    return shifted_right(left, right, bits, bit_string(left, bits)[0])


EXPECTED: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda left, right, bits: left + right,
    "sub": lambda left, right, bits: left - right,
    "mul": lambda left, right, bits: left * right,
    "or": lambda left, right, bits: int(
        "".join(max(pair) for pair in zip(bit_string(left, bits), bit_string(right, bits), strict=True)), 2
    ),
    "and": lambda left, right, bits: int(
        "".join(min(pair) for pair in zip(bit_string(left, bits), bit_string(right, bits), strict=True)), 2
    ),
    "xor": lambda left, right, bits: int(
        "".join(
            str(int(one != other)) for one, other in zip(bit_string(left, bits), bit_string(right, bits), strict=True)
        ),
        2,
    ),
    "mov": lambda left, right, bits: right,
    "lsh": lambda left, right, bits: shifted_left(left, right % bits, bits),
    "rsh": lambda left, right, bits: shifted_right(left, right % bits, bits),
    "arsh": lambda left, right, bits: shifted_right_signed(left, right % bits, bits),
    "div": lambda left, right, bits: trunc(Fraction(unsigned(left, bits), unsigned(right, bits))),
    "mod": lambda left, right, bits: divmod(unsigned(left, bits), unsigned(right, bits))[1],
    "sdiv": lambda left, right, bits: trunc(Fraction(signed(left, bits), signed(right, bits))),
    "smod": lambda left, right, bits: (
        signed(left, bits) - signed(right, bits) * trunc(Fraction(signed(left, bits), signed(right, bits)))
    ),
}


def binary_opcodes() -> list[Opcode]:
    return [
        opcode
        for opcode in OPCODES
        if opcode.opcode_class in (Class.ALU, Class.ALU64)
        and opcode.operation not in (Alu.NEG, Alu.END)
        and "movsx" not in opcode.name
    ]


@pytest.mark.parametrize("opcode", binary_opcodes(), ids=lambda opcode: opcode.name)
@given(left=registers, right=registers, imm=constants)
def test_an_operation_computes_what_c_does(opcode: Opcode, left: int, right: int, imm: int) -> None:
    bits = 64 if opcode.opcode_class == Class.ALU64 else 32
    constant = opcode.name.endswith("_imm")
    if constant:
        right = imm
    operation = opcode.name.removesuffix("_imm").removesuffix("_reg").removesuffix(str(bits))
    expect = EXPECTED[operation]
    if ("div" in operation or "mod" in operation) and unsigned(right, bits) == 0:
        return
    fields = {opcode.selector: opcode.value} if opcode.selector else {}
    instruction = Instruction(opcode.code, 0, 0 if constant else 2, imm=imm if constant else 0, **fields)
    era = "7.2"
    result = execute(instruction, era, r0=left, r2=right & (1 << 64) - 1)
    assert isinstance(result, list)
    assert result[0] == unsigned(expect(left, unsigned(right, bits), bits), bits)


@pytest.mark.parametrize("code", [0x3F, 0x9F, 0x3C, 0x9C], ids=["div64", "mod64", "div32", "mod32"])
@given(left=registers)
def test_run_05_06_dividing_by_zero_ends_a_4_1_program(code: int, left: int) -> None:
    assert execute(Instruction(code, 0, 2), "4.1", r0=left, r2=0) == Returned(0)


@given(left=registers)
def test_run_06_only_the_low_half_of_a_32_bit_divisor_counts(left: int) -> None:
    assert execute(Instruction(0x3C, 0, 2), "4.1", r0=left, r2=7 << 32) == Returned(0)


@given(left=registers)
def test_run_05_06_dividing_by_zero_has_a_result_later(left: int) -> None:
    for code, expected in ((0x3F, 0), (0x9F, left), (0x3C, 0), (0x9C, left & 0xFFFFFFFF)):
        result = execute(Instruction(code, 0, 2), "5.10", r0=left, r2=0)
        assert isinstance(result, list) and result[0] == expected


@pytest.mark.parametrize(("code", "count"), [(0x6F, 64), (0x7F, 65), (0xCF, 1 << 40), (0x6C, 32), (0x7C, 63)])
def test_run_08_09_a_long_shift_is_undefined_in_4_1(code: int, count: int) -> None:
    instructions = (
        Instruction(0xB7, 0, imm=1),
        Instruction(0x18, 2, imm=count & 0xFFFFFFFF),
        Instruction(0, imm=count >> 32),
        Instruction(code, 0, 2),
        EXIT,
    )
    ended = run(*instructions)
    assert isinstance(ended, Stopped) and ended.stop is Stop.UNDEFINED and ended.pc == 3
    assert isinstance(run(*instructions, name="5.10"), Returned)


@given(value=registers)
def test_negation(value: int) -> None:
    for code, bits in ((0x87, 64), (0x84, 32)):
        result = execute(Instruction(code, 0), r0=value)
        assert isinstance(result, list) and result[0] == unsigned(-value, bits)


@pytest.mark.parametrize("bits", [16, 32, 64])
@given(value=registers)
def test_run_12_13_byte_order(bits: int, value: int) -> None:
    image = value.to_bytes(8, "little")[: bits // 8]
    for code, order in ((0xD4, "little"), (0xDC, "big"), (0xD7, "big")):
        result = execute(Instruction(code, 0, imm=bits), "7.2", r0=value)
        assert isinstance(result, list)
        assert result[0] == int.from_bytes(image, "little" if order == "little" else "big")


@pytest.mark.parametrize("bits", [-1, 0, 8, 17, 128])
def test_another_width_leaves_the_register_alone(bits: int) -> None:
    for code in (0xD4, 0xDC):
        assert execute(Instruction(code, 0, imm=bits), R0=0x1122)[0] == 0x1122  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "width", "bits"), [(0xBF, w, 64) for w in (8, 16, 32)] + [(0xBC, 8, 32), (0xBC, 16, 32)]
)
@given(value=registers)
def test_sign_extending_moves(code: int, width: int, bits: int, value: int) -> None:
    result = execute(Instruction(code, 0, 2, off=width), "6.12", r2=value)
    assert isinstance(result, list) and result[0] == unsigned(signed(value, width), bits)


def test_an_instruction_without_a_rule_is_named_as_programs_are_listed() -> None:
    ended = run(Instruction(0x18, 1, 3, 0, 7), Instruction(0), Instruction(0x95), name="6.1")
    assert isinstance(ended, Stopped)
    assert ended.why == "the model has no rule for (18) r1 = btf_id 7"


def test_every_opcode_of_an_era_has_a_function_but_those_the_model_leaves_out() -> None:
    left_out = {
        "call_kfunc",
        "may_goto",
        "ld_map_value",
        "ld_btf_id",
        "ld_function",
        "ld_map_index",
        "ld_map_index_value",
    }
    for rules in every_era():
        existing = {opcode.name for opcode in OPCODES if opcode.since <= rules.release}
        assert existing - set(instruction_table(rules)) <= left_out
    assert "jeq32_imm" not in instruction_table(era("4.1", "x86_64"))
    assert "arsh32_imm" not in instruction_table(era("4.1", "x86_64"))
