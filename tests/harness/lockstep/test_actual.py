# SPDX-License-Identifier: MIT
"""Runs put together from records of a JIT's code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R3, W
from harness.isa.instruction import encode
from harness.isa.opcodes import STACK_SIZE, Helper
from harness.lockstep.actual import CODE_BYTES, GuestProgram, compiled
from harness.lockstep.registers import GDB_NUMBERS, jit_registers
from harness.lowering.watch import LoadedCode
from harness.script.values import Program
from hil.recorder import Record

START = 0xFFFF_FFFF_C000_0000
NOP, JUMP = bytes.fromhex("0f1f440000"), bytes.fromhex("e978563412")
BODY = asm.program(asm.mov64_imm(R3, 0), asm.call(Helper.TAIL_CALL), asm.mov64_imm(R0, 5), asm.exit_())
LINES = tuple((number, number) for number in range(4))


def program(*code: bytes) -> GuestProgram:
    """The program with this native code for its instructions."""
    image = b"".join(code)
    begins = [START + sum(map(len, code[:number])) for number in range(len(code))]
    loaded = LoadedCode("it", encode(BODY.instructions), LINES, tuple(begins), image, ((START, len(image)),))
    return GuestProgram("it", BODY.instructions, loaded)


def records(one: GuestProgram, image: bytes) -> list[Record]:
    """What is recorded when all of it runs, with other code in memory."""
    return [_record(order, address, image[address - START :]) for order, address in enumerate(one.code.native)]


def _record(order: int, address: int, code: bytes) -> Record:
    window = code[:CODE_BYTES].ljust(CODE_BYTES, b"\xcc")
    words = [int.from_bytes(window[at : at + 8], "little") for at in (0, 8)]
    return Record(order, 0, 0, False, frozenset(), (address, *[0] * 11, *words, *[0] * (STACK_SIZE // 8)))


@pytest.mark.parametrize(("loaded", "later"), [(NOP, JUMP), (JUMP, NOP), (JUMP, JUMP)])
@pytest.mark.parametrize("before", [6, 9, 13])
def test_a_tail_call_that_the_kernel_patched_is_still_the_programs(loaded: bytes, later: bytes, before: int) -> None:
    """Also where the window of the code ends inside of the jump."""
    rest = b"\x31\xd2", b"\x90" * before, b"\xb8\x05\x00\x00\x00", b"\xc9\xc3"
    one = program(rest[0], rest[1] + loaded, *rest[2:])
    (run,) = compiled(records(one, b"".join((rest[0], rest[1] + later, *rest[2:]))), [one])
    assert [step.index for step in run.readings[0]] == [0, 1, 2, 3]


def test_other_code_is_another_programs() -> None:
    one = program(b"\x31\xd2", b"\x90" * 6 + NOP, b"\xb8\x05\x00\x00\x00", b"\xc9\xc3")
    other = b"".join((b"\x31\xd2", b"\x91" * 6 + NOP, b"\xb8\x06\x00\x00\x00", b"\xc9\xc3"))
    runs = compiled(records(one, other), [one])
    assert [step.index for run in runs for step in run.readings[0]] == [3]


def test_a_private_stack_is_that_of_its_function() -> None:
    """Recorded with R9 and a second stack, where the JIT may put R10 there."""
    private = bytes.fromhex("49b9c0050000ffffffff654c030c2598000000")
    stacks = [[fill] * (STACK_SIZE // 8) for fill in (0x11, 0x22)]
    for code, frame, fill in ((b"\x90" * len(private), 10, 0x11), (private, 77, 0x22)):
        one = program(code, b"\x31\xd2", b"\xb8\x05\x00\x00\x00", b"\xc9\xc3")
        found = []
        for record in records(one, one.code.image):
            address, _, code_words = record.words[0], record.words[1:12], record.words[12:14]
            words = (address, *range(11), 77, *code_words, *stacks[0], *stacks[1])
            found.append(Record(record.order, 0, 0, False, frozenset(), words))
        (run,) = compiled(found, [one])
        step = run.readings[0][1]
        assert step.registers == (*range(10), frame) and step.stack == bytes([fill, *[0] * 7]) * (STACK_SIZE // 8)


def test_who_may_have_a_private_stack_is_data() -> None:
    numbers = GDB_NUMBERS["x86_64"]
    assert (
        jit_registers("x86_64", "6.12") == jit_registers("x86_64", "4.1") and len(jit_registers("arm64", "7.2")) == 11
    )
    assert jit_registers("x86_64", "7.2") == (*jit_registers("x86_64", "4.1"), numbers["r9"])


def test_a_load_that_ends_a_function_does_not_reach_the_exit_whose_code_it_takes() -> None:
    body = asm.program(asm.ld_abs(W, 1024), asm.mov64_imm(R0, 1), asm.exit_())
    lines = tuple((number, number) for number in range(3))
    image = b"\x01" * 8 + b"\x02" * 8 + b"\xc9\xc3"
    native = (START, START + 8, START + 16)
    one = GuestProgram(
        "it",
        body.instructions,
        LoadedCode("it", encode(body.instructions), lines, native, image, ((START, len(image)),)),
    )
    whole = records(one, image)
    (left,), (ended,) = compiled([whole[0], whole[2]], [one]), compiled(whole, [one])
    assert [step.index for step in left.readings[0]] == [0]
    assert [step.index for step in ended.readings[0]] == [0, 1, 2]


def test_a_tail_call_leads_from_a_longer_program_into_a_shorter_one() -> None:
    """It enters behind the first instruction, which has the prologue's address."""
    long = asm.program(asm.mov64_imm(R3, 0), asm.mov64_imm(R3, 0), asm.call(Helper.TAIL_CALL), asm.exit_())
    short = asm.program(asm.mov64_imm(R0, 0), asm.exit_())
    one, other = (_placed(name, body, at) for name, body, at in (("it", long, START), ("other", short, START + 4096)))
    called = [*records(one, one.code.image)[:3], _record(3, other.code.native[1], other.code.image[8:])]
    (run,) = compiled(called, [one, other])
    assert [(step.program.name, step.index) for step in run.readings[0]] == [
        ("it", 0),
        ("it", 1),
        ("it", 2),
        ("other", 1),
    ]


def _placed(name: str, body: Program, begin: int) -> GuestProgram:
    """A program whose instructions have eight bytes of native code each, of which no two are the same."""
    number = len(body.instructions)
    image = b"".join(bytes([begin >> 12 & 0xFF, index]) * 4 for index in range(number))
    lines = tuple((index, index) for index in range(number))
    native = tuple(begin + 8 * index for index in range(number))
    return GuestProgram(
        name,
        body.instructions,
        LoadedCode(name, encode(body.instructions), lines, native, image, ((begin, len(image)),)),
    )


def test_the_exit_of_the_caller_is_reached_behind_a_load_that_ends_a_function() -> None:
    body = asm.program(asm.call_local("f"), asm.exit_(), "f", asm.ld_abs(W, 1024), asm.mov64_imm(R0, 1), asm.exit_())
    one = _placed("it", body, START)
    whole = records(one, one.code.image)
    ran = [replace(whole[index], order=order) for order, index in enumerate((0, 2, 4, 1))]
    (run,) = compiled(ran, [one])
    assert [step.index for step in run.readings[0]] == [0, 2, 1]


def test_an_atomic_operation_that_is_tried_again_is_one_step() -> None:
    body = asm.program(asm.mov64_imm(R0, 1), asm.xadd(DW, R3, 0, R0), asm.exit_())
    one = _placed("it", body, START)
    first, second, third = records(one, one.code.image)
    (run,) = compiled([first, second, replace(second, order=2), replace(third, order=3)], [one])
    assert [step.index for step in run.readings[0]] == [0, 1, 2]
