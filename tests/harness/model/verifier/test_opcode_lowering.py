# SPDX-License-Identifier: MIT
"""Opcodes newer than 4.1's: what releases that have them say, and what those say that do not."""

from __future__ import annotations

import pytest

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, Atomic
from harness.isa.table import OPCODES
from harness.model.verifier.later.opcode_lowering import STAND_INS, translate
from harness.release import Release
from harness.script.outcome import Unpredicted
from tests.harness.model.verifier.lanes import KINDS, check_later
from tests.harness.model.verifier.newer import OPEN, PROGRAMS, Newer

RELEASES: tuple[Release, ...] = ((5, 10), (6, 1), (6, 12), (7, 2))
WITHOUT = {"may_goto", "call_kfunc"}
"""What 4.1 has nothing like, and harness.model.verifier.later.functions does not see to; besides constants that stand
for something else than a number or a map."""


def said(row: Newer, release: Release) -> str | None:
    verdict = check_later(row.instructions, release, KINDS[row.kind])
    return OPEN if isinstance(verdict, Unpredicted) else verdict.errno


@pytest.mark.parametrize("row", PROGRAMS, ids=lambda row: row.name)
def test_a_program_in_the_releases_that_have_its_opcode(row: Newer) -> None:
    having = [release for release in RELEASES if release >= row.since]
    for release in having:
        assert said(row, release) in ({row.said, OPEN} if release < row.open_before else {row.said})


@pytest.mark.parametrize("row", PROGRAMS, ids=lambda row: row.name)
def test_an_opcode_the_release_does_not_have_is_never_accepted(row: Newer) -> None:
    for release in RELEASES:
        if release < row.since:
            assert said(row, release) in ("EINVAL", OPEN)


def test_every_newer_opcode_has_a_stand_in_of_4_1_or_none_at_all() -> None:
    newer = {opcode.name for opcode in OPCODES if not opcode.original}
    assert {name for name in newer - set(STAND_INS) if not name.startswith("ld_")} == {*WITHOUT, "call_local"}


def test_stand_ins_are_of_4_1_whatever_their_fields() -> None:
    baseline = {opcode.code for opcode in OPCODES if opcode.original}
    for opcode in OPCODES:
        if opcode.name in STAND_INS:
            fields = {opcode.selector: opcode.value} if opcode.selector else {}
            (stand_in,) = translate([Instruction(opcode.code, 1, **fields)], (7, 2)).program
            assert stand_in.code in baseline, opcode.name


def test_the_registers_that_atomics_fetch_into() -> None:
    fetch, exchange = Instruction(0xDB, 10, 3, -8, Atomic.XOR | Atomic.FETCH), Instruction(0xDB, 10, 4, -8, 0xF1)
    plain = Instruction(0xDB, 10, 5, -8, Atomic.XOR)
    assert translate([fetch, exchange, plain], (6, 1)).fetches == {0: 3, 1: R0}
    assert translate([fetch, exchange, plain], (5, 10)).program == (fetch, exchange, plain)


def test_4_1_itself_knows_none_of_them() -> None:
    for row in PROGRAMS:
        assert translate(row.instructions, (4, 1)).program == row.instructions
