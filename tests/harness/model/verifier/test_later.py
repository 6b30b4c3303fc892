# SPDX-License-Identifier: MIT
"""Later verifiers: what must be the same, what must not be predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R10,
    B,
    Piece,
    W,
    add64_imm,
    and64_imm,
    call,
    exit_,
    ja,
    jeq32_imm,
    jeq_imm,
    jge_imm,
    jgt_imm,
    jne_imm,
    ld_imm64,
    ld_map_fd,
    ldx,
    mov32_imm,
    mov64_imm,
    mov64_reg,
    movsx64_8,
    program,
    st,
    stx,
)
from harness.isa.instruction import Instruction, decode
from harness.model.upstream import upstream
from harness.model.verifier import Verdict
from harness.model.verifier.environment import Environment
from harness.model.verifier.jumps import fields_first
from harness.model.verifier.later.jumps import destination_first, either_first
from harness.model.verifier.later.opcode_lowering import translate
from harness.model.verifier.later.paths import most_simulated
from harness.model.verifier.prototypes import Prototype
from harness.model.verifier.rules import Rule
from harness.release import Release
from harness.script.outcome import Unpredicted
from tests.harness.model.verifier.lanes import ARRAY, KINDS, LOOKUP, check, check_later
from tests.harness.model.verifier.rejections import REJECTIONS

TAIL = (mov64_imm(R0, 0), exit_())
RELEASES: tuple[Release, ...] = ((5, 10), (6, 1), (6, 12), (7, 2))
KPROBE = KINDS["kprobe"]


def _predict(*pieces: Piece, release: Release = (6, 1), kind: str = "kprobe") -> Verdict | Unpredicted:
    return check_later(program(*pieces).instructions, release, KINDS[kind])


def _errno(*pieces: Piece, release: Release = (6, 1)) -> str | None:
    verdict = _predict(*pieces, release=release)
    assert isinstance(verdict, Verdict), verdict
    return verdict.errno


def _reason(*pieces: Piece, release: Release = (6, 1)) -> str:
    verdict = _predict(*pieces, release=release)
    assert isinstance(verdict, Unpredicted), verdict
    return verdict.reason


@pytest.mark.parametrize("release", RELEASES)
def test_a_plain_program_stays_accepted(release: Release) -> None:
    assert _errno(LOOKUP, jeq_imm(R0, 0, "out"), st(DW, R0, 0, 1), "out", *TAIL, release=release) is None
    assert _errno(ldx(DW, R2, R1, 112), jgt_imm(R2, 7, 1), mov64_imm(R2, 0), *TAIL, release=release) is None


@pytest.mark.parametrize("release", RELEASES)
def test_refusals_that_never_changed(release: Release) -> None:
    assert _errno(mov64_reg(R0, R2), exit_(), release=release) == "EACCES"
    assert _errno(mov64_imm(R10, 0), *TAIL, release=release) == "EACCES"
    assert _errno(ldx(DW, R0, R1, 168), exit_(), release=release) == "EACCES"
    assert _errno(st(DW, R10, 8, 0), *TAIL, release=release) == "EACCES"
    assert _errno(call(100000), exit_(), release=release) == "EINVAL"
    assert _errno(*TAIL, *TAIL, release=release) == "EINVAL"
    assert _errno(ld_map_fd(R2, 99), *TAIL, release=release) == "EBADF"


def test_a_missing_null_check_is_refused_until_verifiers_know_indices_of_arrays() -> None:
    unchecked = (LOOKUP, ldx(DW, R0, R0, 0), exit_())
    assert _errno(*unchecked, release=(6, 12)) == "EACCES"
    assert "not known to hold" in _reason(*unchecked, release=(7, 2))


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ((ldx(DW, R0, R10, -8), exit_()), "not known to hold"),
        ((mov64_imm(R0, 0), ja(-1), exit_()), "not known to hold"),
        ((call(8), exit_()), "the helper exists now"),
        ((Instruction(0x85, 0, 2, 0, 1), exit_()), "call_kfunc, which came with 5.13"),
        ((Instruction(0x18, 2, 2), Instruction(0), *TAIL), "ld_map_value, which came with 5.2"),
        ((mov64_imm(R0, 0), Instruction(0x95, off=7)), "reserved field"),
        ((Instruction(0x18, 2, 1, 0, ARRAY), Instruction(0, imm=7), *TAIL), "reserved field"),
        ((mov64_imm(R0, 0), jeq_imm(R0, 0, 1), ja(1), ld_imm64(R2, 5), exit_()), "jumps into a 64 bit constant"),
    ],
)
def test_what_must_not_be_predicted(pieces: tuple[Piece, ...], reason: str) -> None:
    assert reason in _reason(*pieces)


def test_a_refusal_behind_an_open_jump_is_predicted() -> None:
    behind = (jgt_imm(R2, 5, 2), mov64_reg(R0, R6), exit_(), *TAIL)
    assert _errno(ldx(DW, R2, R1, 0), *behind) == "EACCES"
    assert _errno(mov64_imm(R2, 5), add64_imm(R2, 1), *behind) is None


def test_the_way_a_program_takes_is_simulated_by_every_verifier() -> None:
    bad = (mov64_reg(R0, R6), exit_())
    assert _errno(mov64_imm(R2, 0), add64_imm(R2, 1), jgt_imm(R2, 5, 2), *bad, *TAIL) == "EACCES"
    assert _errno(mov32_imm(R2, -1), jgt_imm(R2, -2, 2), *bad, *TAIL) == "EACCES"
    assert _errno(mov64_imm(R2, -1), jgt_imm(R2, -2, 2), *bad, *TAIL) is None
    assert _errno(ld_imm64(R2, 1 << 32), Instruction(0x16, R2, 0, 2, 1), *bad, *TAIL) == "EACCES"
    assert _errno(ldx(W, R2, R1, 0), jgt_imm(R2, 5, 2), *bad, *TAIL) == "EACCES"
    assert _errno(ldx(W, R2, R1, 0), jge_imm(R2, 0, 2), *bad, *TAIL) is None
    assert _errno(ldx(W, R2, R1, 0), Instruction(0x1D, R2, R2, 2), *TAIL, *bad) == "EACCES"


def test_a_comparison_shows_nothing_of_a_pointer() -> None:
    bad = (mov64_reg(R0, R6), exit_())
    assert _errno(jeq_imm(R1, 0, 0), *TAIL) is None
    assert _errno(jeq_imm(R10, 8, 2), *TAIL, *bad) == "EACCES"
    assert _errno(jgt_imm(R1, 0, 2), *TAIL, *bad) == "EACCES"
    assert "may not take" in _reason(jeq_imm(R1, 0, 2), *TAIL, *bad)
    assert _errno(jne_imm(R1, 0, 2), *TAIL, *bad) == "EACCES"
    assert _errno(jeq_imm(R1, 8, 0), ldx(DW, R0, R1, 0), exit_()) is None


@pytest.mark.parametrize("release", RELEASES)
def test_pointers_that_were_moved_by_a_constant(release: Release) -> None:
    moved = (mov64_reg(R2, R10), add64_imm(R2, -8), add64_imm(R2, -8))
    assert _errno(moved, st(DW, R2, 8, 0), st(DW, R2, 0, 0), *TAIL, release=release) is None
    assert _errno(moved, st(DW, R2, 16, 0), *TAIL, release=release) == "EACCES"
    assert _errno(moved, st(DW, R2, 4, 0), *TAIL, release=release) == "EACCES"
    found = (LOOKUP, jne_imm(R0, 0, 1), exit_())
    assert _errno(found, add64_imm(R0, 4), st(W, R0, 0, 0), *TAIL, release=release) is None
    assert _errno(found, add64_imm(R0, 4), st(DW, R0, 4, 0), *TAIL, release=release) == "EACCES"
    assert _errno(found, add64_imm(R0, -4), st(W, R0, 0, 0), *TAIL, release=release) == "EACCES"


@pytest.mark.parametrize("release", RELEASES)
def test_pointers_on_the_stack(release: Release) -> None:
    kept = (stx(DW, R10, -8, R10), ldx(DW, R2, R10, -8))
    assert _errno(kept, st(DW, R2, -16, 0), *TAIL, release=release) is None
    assert _errno(kept, st(DW, R2, 0, 0), *TAIL, release=release) == "EACCES"
    assert _errno(stx(W, R10, -8, R10), *TAIL, release=release) == "EACCES"
    assert _errno(stx(DW, R10, -8, R1), ldx(W, R0, R10, -8), exit_(), release=release) == "EACCES"
    half = (stx(DW, R10, -8, R1), st(W, R10, -8, 0), ldx(DW, R2, R10, -8))
    assert _errno(half, *TAIL, release=release) is None
    assert _errno(half, ldx(DW, R0, R2, 0), exit_(), release=release) == "EACCES"


def test_reads_of_the_stack_before_it_is_written() -> None:
    unwritten = (ldx(DW, R0, R10, -8), exit_())
    assert [_errno(*unwritten, release=release) for release in ((6, 12), (7, 2))] == [None, None]
    assert "not known to hold" in _reason(*unwritten, release=(5, 10))
    assert "not known to hold" in _reason(*unwritten, release=(6, 6))
    assert _errno(st(DW, R10, -16, 0), *unwritten, release=(6, 6)) is None
    assert _errno(ldx(DW, R0, R10, -4), exit_(), release=(7, 2)) == "EACCES"


@pytest.mark.parametrize("release", RELEASES)
def test_what_filters_may_do_with_their_context(release: Release) -> None:
    def said(*pieces: Piece) -> str | None:
        kind = replace(KINDS["socket_filter"], context=upstream(release).verifier.filter_context)
        verdict = check_later(program(mov64_imm(R0, 0), *pieces, exit_()).instructions, release, kind)
        return verdict.errno if isinstance(verdict, Verdict) else "?"

    assert {said(ldx(size, R0, R1, off)) for size, off in ((W, 0), (B, 3), (DW, 48), (W, 64), (B, 67), (W, 68))} == {
        None
    }
    refused = ((DW, 0), (W, 2), (DW, 64), (W, 72), (W, 76), (W, 96), (W, 136), (DW, 152), (W, 192), (W, -4))
    assert {said(ldx(size, R0, R1, off)) for size, off in refused} == {"EACCES"}
    assert said(ldx(DW, R0, R1, 168)) == "?"
    assert [said(stx(W, R1, off, R0)) for off in (48, 0, 68)] == [None, "EACCES", "EACCES"]
    assert [said(st(W, R1, off, 0)) for off in (48, 0)] == ["?", "EACCES"]
    assert said(Instruction(0xC3, R1, R0, 48)) == "EACCES"


def test_a_path_that_may_not_be_taken_does_not_matter_if_others_end_alike() -> None:
    open = (ldx(DW, R2, R1, 0), jgt_imm(R2, 7, "certain"), mov64_reg(R3, R2), jgt_imm(R3, 3, "out"))
    bad, worse = (mov64_reg(R0, R6), exit_()), (Instruction(0x07, R0, R6, 0, 1), exit_())
    assert _errno(*open, *bad, "certain", *bad, "out", *TAIL) == "EACCES"
    assert "may not take" in _reason(*open, *bad, "certain", *TAIL, "out", *TAIL)
    assert "may not take" in _reason(*open, *bad, "certain", mov64_imm(R0, 0), *worse, "out", *TAIL)


def test_rules_of_their_own() -> None:
    """CFG-06, M-41 before M-59, unknown opcodes whatever path leads there."""
    ends_in_condition = (ldx(DW, R0, R1, 0), ja(1), exit_(), mov64_imm(R0, 0), jeq_imm(R0, 0, -3))
    assert _errno(*ends_in_condition) == "EINVAL"
    assert _errno(ld_map_fd(R2, 99), ja(5), exit_()) == "EINVAL"
    assert _errno(mov64_imm(R0, 0), jeq_imm(R0, 0, 1), Instruction(0xF7), exit_()) == "EINVAL"
    behind = (mov64_reg(R0, R6), mov64_imm(R2, 0), Instruction(0x07, 2, 5), exit_())
    assert _errno(*behind, release=(6, 12)) == "EACCES"
    assert "seen first" in _reason(*behind, release=(6, 13))
    assert _errno(*behind, release=(7, 2)) == "EINVAL"


def test_the_release_counts() -> None:
    write = (st(DW, R1, 0, 0), *TAIL)
    assert _errno(*write, release=(6, 1)) == "EACCES"
    assert "not known to hold" in _reason(*write, release=(7, 2))
    extend = (mov64_imm(R2, 0), movsx64_8(R0, R2), exit_())
    assert _errno(*extend, release=(6, 1)) == "EINVAL"
    assert _errno(*extend, release=(6, 12)) is None


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ((), "EINVAL"),
        ((ldx(DW, R2, R1, 0), jgt_imm(R2, 7, "out")), "EINVAL"),
        ((mov64_imm(R2, 0), jgt_imm(R2, 7, "out")), "EINVAL"),
        ((mov64_imm(R2, 8), jgt_imm(R2, 7, "out")), None),
        ((mov64_imm(R2, 7), jeq_imm(R2, 7, "out")), None),
        ((ldx(DW, R2, R1, 0), and64_imm(R2, 6), jne_imm(R2, 1, "out")), "open"),
    ],
)
def test_helpers_the_engine_cannot_call(before: tuple[Piece, ...], said: str | None) -> None:
    """What no path reaches is gone before anybody looks: seen on arm64 with 7.2.13, net.core.bpf_jit_enable 0."""
    instructions = program(*before, call(8), "out", *TAIL).instructions
    kind = replace(KPROBE, helpers={**KPROBE.helpers, 8: Prototype()})
    free = check_later(instructions, (7, 2), kind)
    assert isinstance(free, Verdict) and free.accepted
    missing = check_later(instructions, (7, 2), kind, missing=(8,))
    assert (missing.errno if isinstance(missing, Verdict) else "open") == said


def test_what_kernels_were_seen_to_do() -> None:
    """Against the first guess from their sources: these were run on Debian's 5.10, 6.1, 6.12 and 7.2."""
    proprietary = check_later(program(call(5), exit_()).instructions, (5, 10), KPROBE, gpl=False)
    assert isinstance(proprietary, Verdict)
    assert proprietary.accepted
    gotol = (mov64_imm(R0, 0), Instruction(0x06), exit_())
    assert _errno(*gotol, release=(5, 10)) == "EINVAL"
    assert "gotol" in _reason(*gotol, release=(6, 1))
    past_the_end = (mov64_reg(R1, R10), add64_imm(R1, -8), mov64_imm(R2, 9), call(6), exit_())
    assert "not known to hold" in _reason(*past_the_end)
    atomic = Instruction(0xDB, R10, R0, -8, 2)
    assert "seen first" in _reason(mov64_reg(R0, R6), atomic, exit_(), release=(5, 10))
    narrow = (mov64_imm(R0, 0), Instruction(0xCB, R10, R0, -8), exit_())
    assert _errno(*narrow, release=(6, 12)) == "EINVAL"
    assert _errno(*narrow, release=(7, 2)) == "EINVAL"


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: rejection.row)
@pytest.mark.parametrize("release", RELEASES)
def test_no_prediction_contradicts_its_base(rejection, release: Release) -> None:
    """A program 4.1 refuses is refused or unpredicted, unless the release has its opcode or is without the rule; only
    the errno of an earlier check may differ."""
    if translate(rejection.instructions, release).program != rejection.instructions:
        assert rejection.errno == "EINVAL"
        return
    verdict = check_later(rejection.instructions, release, KINDS[rejection.kind], gpl=rejection.gpl)
    if isinstance(verdict, Verdict):
        base = check(rejection.instructions, rejection.kind, gpl=rejection.gpl)
        gone = {None} if base.rule in upstream(release).verifier.lifted else set()
        assert verdict.errno in {rejection.errno, "EINVAL", *gone}


def _hex(text: str) -> Sequence[Instruction]:
    return decode(bytes.fromhex(text))


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("text", "errno"),
    [
        ("bf11000000000000 6110000000000000 9500000000000000", None),
        ("bf11000000000000 0f11000000000000 b700000000000000 9500000000000000", "EACCES"),
        (
            "6110000000000000 1500010001000000 bf01000000000000 0f11000000000000 b700000000000000 9500000000000000",
            "EACCES",
        ),
    ],
)
def test_pointers_that_4_1_forgets(text: str, errno: str | None, release: Release) -> None:
    """`r1 = r1`, and a path that 4.1 leaves out because one with a number in r1 has been there."""
    verdict = check_later(_hex(text), release, KINDS["socket_filter"])
    assert isinstance(verdict, Verdict), verdict
    assert verdict.errno == errno


@pytest.mark.parametrize("operation", sorted({0x15, 0x25, 0x35, 0x45, 0x55, 0x65, 0x75, 0xA5, 0xB5, 0xC5, 0xD5}))
@pytest.mark.parametrize("bits", [0, 1, 8, 9])
def test_what_a_jump_looks_at_first(operation: int, bits: int) -> None:
    """A field that means nothing, and a destination that holds nothing: seen on all five kernels, for 44 opcodes."""
    by_register = bits & 8
    jump = Instruction((operation | by_register) + (bits & 1), R0, 0 if by_register else 1, 0, 1 if by_register else 0)

    def said(first: Callable[[Environment, Instruction], None]) -> object:
        own = upstream((6, 1)).verifier
        rules = replace(own, hooks=replace(own.hooks, check_jump_first=first))
        verdict = check_later(program(jump, *TAIL).instructions, (6, 1), KPROBE, rules=rules)
        return verdict.errno if isinstance(verdict, Verdict) else "open"

    assert [said(one) for one in (fields_first, destination_first, either_first)] == ["EINVAL", "EACCES", "open"]


@pytest.mark.parametrize("release", RELEASES)
def test_too_many_paths_are_not_predicted(release: Release) -> None:
    """20 diamonds that nothing decides; with a value that decides all others once one is equal, 5.10, 6.1, 6.12 and 7.2
    were seen to accept a hundred."""

    def diamonds(count: int, *fresh: Piece) -> tuple[Piece, ...]:
        tests = [(*fresh, jeq_imm(R6, number, 1), add64_imm(R2, 1)) for number in range(count)]
        return (ldx(W, R6, R1, 0), mov64_imm(R2, 0), tests, *TAIL)

    assert _errno(*diamonds(10), release=release) is None
    assert _errno(*diamonds(20), release=release) is None
    assert "1,000,000" in _reason(*diamonds(20, ldx(W, R6, R1, 0)), release=release)
    assert most_simulated(program(*diamonds(1)).instructions) == 2 + 1 + 1 + 2 + 2


def test_a_lookup_of_which_verifiers_may_know_that_it_finds_something() -> None:
    """The null side of a check of an array's element is not always simulated since 6.14."""
    missed = (LOOKUP, jne_imm(R0, 0, 2), mov64_reg(R0, R6), exit_(), *TAIL)
    assert _errno(*missed, release=(6, 12)) == "EACCES"
    assert "may not take" in _reason(*missed, release=(7, 2))
    found = (LOOKUP, jne_imm(R0, 0, 2), *TAIL, mov64_reg(R0, R6), exit_())
    assert _errno(*found, release=(7, 2)) == "EACCES"


def test_arguments_on_the_stack() -> None:
    """7.2 knows of a register 11: at eight bytes above it are arguments, and a program has none."""

    def said(instruction: Instruction, stack_arguments: bool) -> object:
        rules = upstream((7, 2) if stack_arguments else (6, 12)).verifier
        instructions = program(mov64_imm(R2, 0), instruction, *TAIL).instructions
        verdict = check_later(instructions, (7, 2), KPROBE, rules=rules)
        return verdict.errno if isinstance(verdict, Verdict) else "open"

    above, between, below = (Instruction(0x79, R1, 11, off) for off in (8, 4, -8))
    assert [said(one, True) for one in (above, between, below)] == ["EACCES", "EINVAL", "EINVAL"]
    assert said(above, False) == "EINVAL"
    assert said(Instruction(0x7B, 11, R2, -8), True) == "open"
    assert said(Instruction(0x7B, 11, R6, -8), True) == "EACCES"
    assert said(Instruction(0x7B, 11, R2, 8), True) == "EINVAL"


@pytest.mark.parametrize("release", RELEASES)
def test_a_number_that_is_far_too_large_for_a_pointer_is_seen_before_the_operation(release: Release) -> None:
    """check_reg_sane_offset() gives EINVAL, what is wrong with the operation EACCES: seen on 6.1.192."""
    masked = Instruction(0x5F, R1, R2)
    assert _errno(mov64_imm(R2, 8), masked, *TAIL, release=release) == "EACCES"
    for number in (mov32_imm(R2, -8), mov64_imm(R2, -8), mov64_imm(R2, 1 << 29), ldx(DW, R2, R1, 0)):
        assert "does arithmetic on a pointer" in _reason(number, masked, *TAIL, release=release)
    assert _errno(Instruction(0x57, R1, 0, 0, -8), *TAIL, release=release) == "EACCES"
    assert "does arithmetic on a pointer" in _reason(Instruction(0x57, R1, 0, 0, 1 << 29), *TAIL, release=release)


def test_a_comparison_with_0_of_what_later_verifiers_know_decides() -> None:
    """4.1 does not know what a 64 bit constant is; found by generated programs, seen on 6.12.118."""
    dead = (ld_imm64(R2, 32), jeq_imm(R2, 0, 2), *TAIL, Instruction(0x07, R2, 0, 478, 30), *TAIL)
    assert _errno(*dead, release=(6, 12)) is None


def test_both_ways_behind_a_negative_constant_of_which_4_1_gets_the_upper_half_wrong() -> None:
    bad = (mov64_reg(R0, R6), exit_())
    number = (mov64_imm(R3, 0), ldx(W, R2, R1, 0), jeq_imm(R2, 7, 1), mov64_imm(R3, 1))
    known, open = (mov32_imm(R2, -1),), (*number, mov32_imm(R2, -1), mov64_reg(R2, R2))
    assert _errno(*known, jne_imm(R2, -1, 2), *TAIL, *TAIL) is None
    assert _errno(*known, jne_imm(R2, -1, 2), *TAIL, *bad) == "EACCES"
    assert _errno(*known, jne_imm(R2, -1, 2), *bad, *TAIL) is None
    assert _errno(*open, jne_imm(R2, -1, 2), *bad, *bad) == "EACCES"
    assert _errno(mov32_imm(R2, -1), jeq32_imm(R2, -1, 2), *TAIL, *bad) == "EACCES"
    assert _errno(mov32_imm(R2, -1), jeq32_imm(R2, -1, 2), *bad, *TAIL) is None


def test_a_path_that_was_passed_over_covers_no_other() -> None:
    """A generated program that 5.10.262 accepts: what is not stored on a path that nothing takes is on another."""
    stored = (mov64_imm(R4, 0), Instruction(0xB6, R4, 0, 1, 2), ja(1), stx(DW, R10, -176, R4))
    pieces = (LOOKUP, stored, jne_imm(R0, 0, 0), ldx(DW, R1, R10, -176), exit_())
    own = upstream((5, 10)).verifier
    rules = replace(own, lifted=own.lifted - {Rule.STACK_BELOW, Rule.STACK_UNWRITTEN})
    instructions = program(*pieces).instructions
    verdict = check_later(instructions, (5, 10), KPROBE, rules=rules, reached=lambda wanted, _: bool(wanted))
    assert isinstance(verdict, Verdict)
    assert verdict.accepted
