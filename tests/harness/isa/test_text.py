# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R10,
    Function,
    call,
    call_local,
    exit_,
    jeq_imm,
    ld_imm64,
    ld_map,
    ldx,
    mov64_imm,
    program,
)
from harness.isa.instruction import Instruction, decode, encode
from harness.isa.opcodes import LD_IMM64
from harness.isa.table import OPCODES
from harness.isa.text import assemble, disassemble, listing, shown
from harness.script.operations import Program
from hil.errors import UserError
from tests.harness.isa.strategies import encodings


@given(encodings)
def test_text_loses_nothing(instructions: tuple[Instruction, ...]) -> None:
    assert assemble(disassemble(instructions)).instructions == instructions
    assert decode(encode(instructions)) == instructions


@pytest.mark.parametrize("opcode", OPCODES, ids=lambda opcode: opcode.name)
def test_every_opcode_has_a_notation_of_its_own(opcode) -> None:
    instruction = Instruction(opcode.code, **({opcode.selector: opcode.value} if opcode.selector else {}))
    instructions = (instruction, Instruction(0)) if opcode.code == 0x18 else (instruction,)
    assert assemble(disassemble(instructions)).instructions == instructions


def test_maps_keep_their_names() -> None:
    written = program(ld_map(R1, "counter"), mov64_imm(R0, 0), exit_())
    assert disassemble(written).startswith("(18) r1 = map counter\n")
    assert assemble(disassemble(written)) == written


def test_the_notation_is_the_one_of_the_log() -> None:
    written = program(
        ldx(DW, R2, R1, 112), jeq_imm(R2, -1, 3), ld_imm64(R2, 1 << 32), call(1), exit_(), mov64_imm(R0, 0)
    )
    assert disassemble(written).splitlines() == [
        "(79) r2 = *(u64 *)(r1 +112)",
        "(15) if r2 == 0xffffffff goto pc+3",
        "(18) r2 = 0x100000000 ll",
        "(85) call 1",
        "(95) exit",
        "(b7) r0 = 0",
    ]


def test_labels_indices_and_comments() -> None:
    text = """
        start:            ; a comment
        0: (79) r2 = *(u64 *)(r1 +112)   # another
        if r2 == 0x0 goto out
        goto start
        out: r0 = 0
        exit {imm=7}
    """
    assert assemble(text) == Program(
        (
            Instruction(0x79, 2, 1, 112),
            Instruction(0x15, 2, off=1),
            Instruction(0x05, off=-3),
            Instruction(0xB7),
            Instruction(0x95, imm=7),
        )
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("r0 = 0\nr0 := 0", "line 2: `r0 := 0` is no instruction"),
        ("(b4) r0 = 0", "line 1: `r0 = 0` is opcode b7, not b4"),
        ("r0 = 4294967296", "imm 4294967296 does not fit into 32 bits"),
        ("r16 = 0", "dst 16 does not fit into 4 bits"),
        ("goto nowhere", "line 1: label nowhere is not defined"),
        ("a:\na:", "line 2: label a is defined twice"),
        ("exit {imm}", "behind exit"),
        ("exit {next=1}", "behind exit"),
        ("call 1 {src=1}", "reads as another opcode"),
    ],
)
def test_bad_text_is_named_by_its_line(text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint.replace("{", r"\{")):
        assemble(text)


@pytest.mark.parametrize(
    ("instructions", "complaint"),
    [
        ((Instruction(0xB7), Instruction(0xFF)), "instruction 1 has no meaning"),
        ((Instruction(0xC3, imm=2),), "instruction 0 has no meaning"),
        ((Instruction(0x18),), "instruction 0 is a 64 bit constant without"),
        ((Instruction(0x18), Instruction(0xB7)), "instruction 0 is a 64 bit constant without"),
    ],
)
def test_unknown_encodings_are_named_by_their_index(instructions: tuple[Instruction, ...], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        disassemble(instructions)


def test_the_stack_is_written_with_a_sign() -> None:
    assert disassemble(program(ldx(DW, R0, R10, -8))) == "(79) r0 = *(u64 *)(r10 -8)\n"


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("call bpf_map_lookup_elem#1", "call 1"),
        ("(85) call bpf_probe_read#4", "(85) call 4"),
        ("5: (85) call bpf_get_stackid#27     ; R0_w=scalar()", "call 27"),
        ("call unknown#4", "call 4"),
        ("call bpf_redirect_map#51", "call 51"),
        ("call 4 # a comment", "call 4"),
    ],
)
def test_a_helper_may_have_its_name_as_logs_since_4_10_write_it(line: str, plain: str) -> None:
    assert assemble(line) == assemble(plain)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("call bpf_probe_read#5", "line 1: `call bpf_probe_read#5`: helper 5 has another name; write `call 5`"),
        ("call bpf_probe_reed#4", "helper 4 has another name"),
        ("call bpf_probe_read#51", "helper 51 has another name"),
        ("call bpf_cpumask_create#71234", "calls a function of the running kernel; write `call kernel-function 71234`"),
    ],
)
def test_a_name_that_is_not_the_numbers_is_a_mistake(line: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        assemble(line)
    assert said in str(error.value)


def test_functions_keep_their_names() -> None:
    text = "main():\n(85) call pc+1\n(95) exit\ncount():\n(b7) r0 = 1\n(95) exit\n"
    written = program(Function("main"), call_local("count"), exit_(), Function("count"), mov64_imm(R0, 1), exit_())
    assert written.functions == ((0, "main"), (2, "count"))
    assert disassemble(written) == text
    assert assemble(text) == written == assemble(text.replace("call pc+1", "call count"))
    assert assemble(text.replace("()", "")).functions == ()


def test_a_call_of_a_function_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="line 1: label count is not defined"):
        assemble("call count\nexit")


def test_one_instruction_is_shown_as_in_the_listing() -> None:
    lines_of = (*ld_imm64(R1, 5), Instruction(LD_IMM64, 1, 2, 0, 7), Instruction(0, imm=3), Instruction(0xFF, imm=2))
    lines = dict(listing(lines_of))
    assert {index: shown(lines_of, index) for index in lines} == lines
    assert shown(lines_of, 2) == "(18) r1 = map_value fd 7 off 3"
