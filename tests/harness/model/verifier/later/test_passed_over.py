# SPDX-License-Identifier: MIT
"""Paths that are passed over, from states that come again and again."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R7,
    R8,
    R10,
    Piece,
    exit_,
    ja,
    jeq_imm,
    jne_imm,
    jset_imm,
    ldx,
    mov64_imm,
    mov64_reg,
    or64_imm,
    program,
    rsh64_imm,
    stx,
)
from harness.model.verifier.later.watch import Watch
from harness.model.verifier.verdict import Verdict
from harness.script.operations import Program
from harness.script.outcome import Unpredicted
from tests.harness.model.verifier.lanes import KINDS, LOOKUP, check_later

NUMBER: Piece = (ldx(DW, R6, R1, 0), rsh64_imm(R6, 1))
"""Of which no release knows a bit."""
LOOKED_UP: Piece = (LOOKUP, mov64_reg(R7, R0))
PROGRAMS = 800


def said(code: Program) -> tuple[Verdict | Unpredicted, list[tuple[int, ...]]]:
    """What is said of a program that arrives wherever it is asked for, and where that was."""
    asked: list[tuple[int, ...]] = []

    def reached(wanted: frozenset[int], _: object) -> bool:
        asked.append(tuple(sorted(wanted)))
        return bool(wanted)

    return check_later(code.instructions, (6, 1), KINDS["kprobe"], reached=reached), asked


def test_the_same_paths_are_passed_over_once() -> None:
    """Sixteen comparisons, of which no result is known and nothing is learned, lead to the refused instruction in more
    ways than 4.1 may simulate."""
    joined = [(jset_imm(R6, 1 << number, 1), mov64_imm(R2, 0)) for number in range(16)]
    refused = (mov64_reg(R0, R7), exit_())
    code = program(
        (NUMBER, mov64_imm(R2, 0), jset_imm(R6, 1, "out")),
        (joined, refused, "out", mov64_imm(R0, 0), exit_()),
    )
    verdict, asked = said(code)
    assert isinstance(verdict, Verdict), verdict
    assert (verdict.errno, verdict.message) == ("EACCES", "R7 !read_ok")
    assert asked


def test_what_leads_to_a_state_that_comes_again_covers_no_other() -> None:
    """Bits 0 and 1 are known to be set, so a later verifier takes the one path on which R7 is written. A path ends at
    `joined` in a state in which R7 is not; those on the way there cover none in which it is."""
    code = program(
        (NUMBER, or64_imm(R6, 3), mov64_imm(R0, 0), mov64_imm(R2, 0)),
        (jset_imm(R6, 1, "one"), ja("refused"), "one", jset_imm(R6, 2, "two"), jset_imm(R6, 8, "joined"), ja("joined")),
        ("two", mov64_imm(R7, 0), "joined", mov64_imm(R2, 0), jset_imm(R6, 4, "refused")),
        ("refused", mov64_reg(R0, R7), exit_()),
    )
    verdict, _ = said(code)
    assert isinstance(verdict, Unpredicted), "refused where every verifier that comes there knows R7"


def test_what_was_passed_over_is_looked_at_again_once_a_copy_is_compared() -> None:
    """Whether R7 may be null there depends on the copy in R0, which one path compares, and the first one does not."""
    code = program(
        (NUMBER, or64_imm(R6, 1), LOOKED_UP, jset_imm(R6, 1, "compared"), mov64_imm(R0, 0), ja("used")),
        ("compared", jeq_imm(R0, 0, "out"), mov64_imm(R0, 0), jset_imm(R6, 2, "used")),
        ("used", ldx(DW, R1, R7, 0), "out", mov64_imm(R0, 0), exit_()),
    )
    verdict, _ = said(code)
    assert isinstance(verdict, Unpredicted), "refused where later verifiers know that R7 is not null"


def generated(random: Random) -> Program:
    """Jumps ahead on bits that are not known, between moves, look-ups and uses of what may not be written or null."""
    pieces: list[Piece] = [NUMBER, mov64_imm(R0, 0), mov64_imm(R2, 0)]
    if random.random() < 0.6:
        pieces.append(LOOKED_UP)
    count = random.randrange(6, 16)
    for at in range(count):
        ahead = f"at {random.randrange(at + 1, count + 1)}"
        kept, other = random.choice((R0, R7, R8)), random.choice((R0, R7, R8, R10, R6))
        choices: tuple[Piece, ...] = (
            *(jset_imm(R6, 1 << random.randrange(8), ahead) for _ in range(4)),
            random.choice((jeq_imm, jne_imm))(kept, 0, ahead),
            mov64_imm(kept, random.randrange(2)),
            mov64_reg(kept, other),
            ldx(DW, R3, kept, 0),
            random.choice((stx(DW, R10, -16, other), ldx(DW, R8, R10, -16))),
        )
        pieces += [f"at {at}", random.choice(choices)]
    return program(*pieces, f"at {count}", mov64_imm(R0, 0), exit_())


def test_paths_that_end_early_change_nothing_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    comes_again, ended = Watch.comes_again, 0

    def counted(watch: Watch, *arguments: Any) -> bool:
        nonlocal ended
        again = comes_again(watch, *arguments)
        ended += again
        return again

    for seed in range(PROGRAMS):
        code = generated(Random(seed))
        monkeypatch.setattr(Watch, "comes_again", counted)
        early = said(code)
        monkeypatch.setattr(Watch, "comes_again", lambda *_: False)
        assert early == said(code), seed
    assert ended > PROGRAMS / 10
