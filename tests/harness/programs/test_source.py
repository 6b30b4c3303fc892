# SPDX-License-Identifier: MIT
"""Which form a program has, and programs that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.isa.instruction import encode
from harness.programs import hexadecimal, source
from harness.programs.source import Format
from hil.errors import UserError

PROGRAM = program(mov64_imm(R0, 5), exit_())
BYTES = encode(PROGRAM.instructions)


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (b"r0 = 5\nexit\n", Format.ASSEMBLER),
        ("# fünf\nr0 = 5\nexit".encode(), Format.ASSEMBLER),
        (BYTES, Format.BYTES),
        (BYTES.hex().encode(), Format.HEXADECIMAL),
        (BYTES.hex(" ").upper().encode() + b"\n", Format.HEXADECIMAL),
        (", ".join(f"0x{byte:02x}" for byte in BYTES).encode(), Format.HEXADECIMAL),
    ],
)
def test_every_form_is_seen_and_is_the_same_program(content: bytes, format: Format) -> None:
    assert source.detect(content) is format
    assert source.read(content).program == source.read(content, format).program == PROGRAM


@pytest.mark.parametrize(
    ("content", "format", "said"),
    [
        (b" \n", None, "the program is empty"),
        (b"; nothing\n", None, "the program has no instructions"),
        (BYTES[:-1], None, "15 bytes"),
        (b"b7000", None, "not hexadecimal at 'b7000'"),
        (b"b7 zz", Format.HEXADECIMAL, "not hexadecimal at 'zz'"),
        (b"\xff", Format.ASSEMBLER, "no text at byte 0"),
        (b"r0 = \n", None, "line 1"),
        (b"\x7fELF", None, "the object file is damaged"),
        (bytes(8 * 1_000_001), None, "1000001 instructions"),
        (b"exit\n" * (1 << 18), None, "bytes of assembler text"),
    ],
)
def test_what_is_no_program(content: bytes, format: Format | None, said: str) -> None:
    with pytest.raises(UserError) as error:
        source.read(content, format)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_section_of_what_has_none() -> None:
    with pytest.raises(UserError, match="--section a"):
        source.read(BYTES, section="a")


@given(st.binary(max_size=200))
def test_noise_is_a_program_or_a_users_error(noise: bytes) -> None:
    try:
        source.read(noise)
    except UserError as error:
        assert "\n" not in str(error)


@given(st.binary())
def test_hexadecimal_there_and_back(content: bytes) -> None:
    assert hexadecimal.parse(content.hex(" "), "it") == content


def test_a_long_word_that_is_no_hexadecimal_takes_no_time() -> None:
    assert not hexadecimal.is_hexadecimal("a" * 100_000 + "g")
