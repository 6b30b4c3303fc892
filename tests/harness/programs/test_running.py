# SPDX-License-Identifier: MIT
"""Programs by themselves: any bytes end somehow."""

from __future__ import annotations

from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.isa.instruction import Instruction
from harness.isa.table import OPCODES
from harness.isa.text import assemble
from harness.model import interpreter
from harness.model.eras import ERAS
from harness.model.interpreter import Returned, Stop, Stopped
from harness.programs.lanes import environment
from harness.programs.running import on_context, on_memory
from harness.script.operations import CreateMap, MapType, Program
from hil.errors import UserError

NEWEST = environment("7.2", "x86_64")
instructions = st.builds(
    Instruction,
    st.sampled_from([opcode.code for opcode in OPCODES]),
    st.integers(0, 11),
    st.integers(0, 11),
    st.one_of(st.sampled_from([0, 1, -8, -1]), st.integers(-(1 << 15), (1 << 15) - 1)),
    st.one_of(st.sampled_from([0, 1, 16, 64, 0x41]), st.integers(-(1 << 31), (1 << 31) - 1)),
)


def test_memory_and_its_length() -> None:
    assert on_memory(NEWEST, assemble("r0 = *(u8 *)(r1 +1)\nr0 += r2\nexit"), b"\1\2\3").ended == Returned(5)
    assert on_memory(NEWEST, assemble("r0 = r1\nr0 |= r2\nexit"), b"").ended == Returned(0)


def test_arguments_of_the_probed_function() -> None:
    ran = on_context(environment("4.1", "x86_64"), assemble("r0 = *(u64 *)(r1 +104)\nexit"), {2: -1})
    assert ran.ended == Returned((1 << 64) - 1)


def test_what_is_stored_in_maps_is_left() -> None:
    text = """*(u32 *)(r10 -4) = 1
        r2 = r10
        r2 += -4
        r1 = map m
        call 1
        *(u64 *)(r0 +0) = 7
        exit"""
    ran = on_context(NEWEST, assemble(text), {}, [CreateMap("m", MapType.ARRAY, 4, 8, 2)])
    assert [(key.hex(), region.known(0, 8)) for key, region in ran.maps["m"].stored()] == [
        ("01000000", (7).to_bytes(8, "little"))
    ]


def test_endless_programs_end() -> None:
    ended = on_memory(NEWEST, assemble("l: goto l"), b"").ended
    assert isinstance(ended, Stopped) and ended.stop is Stop.ENDLESS
    ended = on_memory(NEWEST, assemble("call pc-1\nexit"), b"").ended
    assert isinstance(ended, Stopped) and ended.stop is Stop.FAULT


@settings(max_examples=500, deadline=None)
@given(st.lists(instructions, min_size=1, max_size=12), st.binary(max_size=16), st.sampled_from([*ERAS]))
def test_any_instructions_return_stop_or_are_refused(body: list[Instruction], memory: bytes, era: str) -> None:
    whole = Program((*body, Instruction(0x95)))
    try:
        with mock.patch.object(interpreter, "MOST_STEPS", 1000):
            ran = on_memory(environment(era, "x86_64"), whole, memory)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(ran.ended, Returned | Stopped)
