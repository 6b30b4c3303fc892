# SPDX-License-Identifier: MIT
"""Loads, stores, atomics and packets, against `struct`."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.isa.instruction import Instruction
from harness.model.interpreter import Returned, Stop, Stopped
from harness.model.value import Pointer
from tests.harness.model.running import EXIT, execute, memory, run
from tests.harness.model.test_arithmetic import constants, registers

M64 = (1 << 64) - 1
LOADS = {0x71: "<B", 0x69: "<H", 0x61: "<I", 0x79: "<Q", 0x91: "<b", 0x89: "<h", 0x81: "<i"}
STORES = {"stx": {0x73: 1, 0x6B: 2, 0x63: 4, 0x7B: 8}, "st": {0x72: 1, 0x6A: 2, 0x62: 4, 0x7A: 8}}


@pytest.mark.parametrize("code", LOADS)
@given(content=st.binary(min_size=16, max_size=16), offset=st.integers(-4, 4))
def test_run_16_loads(code: int, content: bytes, offset: int) -> None:
    result = execute(Instruction(code, 0, 1, off=offset), "7.2", r1=memory(content) + 4)
    (expected,) = struct.unpack_from(LOADS[code], content, 4 + offset)
    assert isinstance(result, list) and result[0] == expected & M64


@pytest.mark.parametrize("code", STORES["stx"])
@given(value=registers)
def test_stores_of_registers(code: int, value: int) -> None:
    target, size = memory(b"\xaa" * 16), STORES["stx"][code]
    execute(Instruction(code, 1, 2, off=3), r1=target, r2=value)
    image = bytearray(b"\xaa" * 16)
    image[3 : 3 + size] = struct.pack("<Q", value)[:size]
    assert target.region.prediction() == image


@pytest.mark.parametrize("code", STORES["st"])
@given(imm=constants)
def test_run_17_stores_of_constants_extend_the_sign(code: int, imm: int) -> None:
    target, size = memory(bytes(8)), STORES["st"][code]
    execute(Instruction(code, 1, imm=imm), r1=target)
    assert target.region.prediction() == struct.pack("<q", imm)[:size] + bytes(8 - size)


@pytest.mark.parametrize(("imm", "name"), [(0, "+"), (0x40, "|"), (0x50, "&"), (0xA0, "^"), (0xE1, "xchg")])
@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("fetch", [0, 1])
@given(old=registers, operand=registers)
def test_run_18_atomics(imm: int, name: str, size: int, fetch: int, old: int, operand: int) -> None:
    target = memory(struct.pack("<Q", old))
    code = 0xDB if size == 8 else 0xC3
    result = execute(Instruction(code, 1, 2, imm=imm | fetch), "7.2", r1=target, r2=operand)
    assert isinstance(result, list)
    mask = (1 << 8 * size) - 1
    new = {"+": old + operand, "|": old | operand, "&": old & operand, "^": old ^ operand, "xchg": operand}[name]
    assert target.region.prediction() == struct.pack("<Q", old & ~mask | new & mask)
    assert result[2] == (old & mask if fetch or name == "xchg" else operand)


@pytest.mark.parametrize("equal", [True, False])
def test_compare_and_exchange(equal: bool) -> None:
    target = memory(struct.pack("<Q", 0x11_0000_0005))
    result = execute(Instruction(0xC3, 1, 2, imm=0xF1), "6.1", r0=0x22_0000_0005 + (not equal), r1=target, r2=9)
    assert isinstance(result, list) and result[0] == 5
    assert target.region.load(0, 4) == (9 if equal else 5)


def test_st_06_the_frame_pointer_ends_512_bytes() -> None:
    ended = run(Instruction(0x7A, 10, off=-512, imm=7), Instruction(0x79, 0, 10, off=-512), EXIT)
    assert ended == Returned(7)


@pytest.mark.parametrize("off", [-520, -4, 0])
def test_an_access_outside_is_a_fault_and_says_where(off: int) -> None:
    ended = run(Instruction(0x79, 0, 10, off=off), EXIT)
    assert isinstance(ended, Stopped) and ended.stop is Stop.FAULT
    assert "the stack" in ended.why


def test_an_access_through_a_number_is_a_fault() -> None:
    ended = run(Instruction(0xB7, 1, imm=64), Instruction(0x79, 0, 1), EXIT)
    assert isinstance(ended, Stopped) and ended.stop is Stop.FAULT and "0x40" in ended.why


@pytest.mark.parametrize(("code", "size"), [(0x30, 1), (0x28, 2), (0x20, 4)])
def test_isa_19_packets_are_read_in_network_order(code: int, size: int) -> None:
    packet = bytes(range(1, 9))
    assert run(Instruction(code, imm=2), EXIT, packet=packet) == Returned(int.from_bytes(packet[2 : 2 + size], "big"))
    indirect = (Instruction(0xB7, 3, imm=1), Instruction(code + 0x20, src=3, imm=1), EXIT)
    assert run(*indirect, packet=packet) == Returned(int.from_bytes(packet[2 : 2 + size], "big"))
    beyond = (Instruction(0xB7, 0, imm=7), Instruction(code, imm=9 - size), Instruction(0xB7, 0, imm=8), EXIT)
    assert run(*beyond, packet=packet) == Returned(0)


def test_run_19_a_64_bit_constant_is_two_unsigned_halves() -> None:
    assert run(Instruction(0x18, 0, imm=-1), Instruction(0, imm=1), EXIT) == Returned(0x1_FFFF_FFFF)


def test_pointers_survive_a_spill() -> None:
    target = memory(b"\x2a" + bytes(7))
    ended = run(
        Instruction(0x7B, 10, 1, off=-8),
        Instruction(0x79, 2, 10, off=-8),
        Instruction(0x71, 0, 2),
        EXIT,
        context=target,
    )
    assert ended == Returned(42)
    assert isinstance(target, Pointer)
