# SPDX-License-Identifier: MIT
"""What the verifier of each release is: a record, found by what changed when, and asked by no version."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.isa.assemble import R0, R1, call, exit_, ja, mov64_imm, program
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Helper
from harness.model.upstream import LATEST, upstream
from harness.model.verifier import Verdict
from harness.model.verifier.linux_4_1 import HOOKS, VERIFIER
from harness.model.verifier.prototypes import Argument
from harness.model.verifier.rules import Rule
from harness.release import Release
from harness.script.operations import MapType
from harness.script.outcome import Unpredicted
from tests.harness.model.verifier.lanes import KINDS, check_later

HARNESS = Path(__file__).resolve().parents[4] / "harness"
RECORDS = {"isa/table.py", "model/distribution.py"}
"""Where the first release may be told from others: they say what it has."""
FIRST = ("BASELINE", "(4, 1)")
TAIL = (mov64_imm(R0, 0), exit_())


def comparisons(source: str) -> Iterator[str]:
    """Those with the first release."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
            if any(side == first or side.endswith(".BASELINE") for side in sides for first in FIRST):
                yield ast.unparse(node)


def test_nobody_asks_for_the_first_release() -> None:
    found = {str(path.relative_to(HARNESS)): list(comparisons(path.read_text())) for path in HARNESS.rglob("*.py")}
    assert {path: asked for path, asked in found.items() if asked and path not in RECORDS} == {}


def test_who_asks_for_it_is_found() -> None:
    assert list(comparisons("if rules.release == BASELINE: pass\nif one.release != (4, 1): pass\nif a == b: pass")) == [
        "rules.release == BASELINE",
        "one.release != (4, 1)",
    ]


def test_only_4_1_is_written_down_whole() -> None:
    assert upstream((4, 1)).verifier == VERIFIER
    assert VERIFIER.specified and VERIFIER.hooks is HOOKS
    assert not any(upstream(release).verifier.specified for release in LATEST if release > (4, 1))


@pytest.mark.parametrize("release", [(4, 2), (4, 9), (4, 19), (5, 4), (5, 15), (6, 6), (6, 14), (7, 0)])
def test_a_release_between_two_that_lanes_have_has_what_is_known(release: Release) -> None:
    rules = upstream(release).verifier
    memory = Argument.MEMORY if release >= (4, 11) else Argument.STACK
    assert rules.prototypes[Helper.GET_CURRENT_COMM].arguments[0] is memory
    assert rules.functions is (release >= (4, 16))
    assert (MapType.LRU_HASH in rules.map_helpers) is (release >= (4, 10))
    assert (MapType.RINGBUF in rules.map_helpers) is (release >= (5, 8))
    assert (Rule.LOOP in rules.lifted) is (release >= (5, 3))
    assert rules.indices_known is (Rule.ACCESS_UNCHECKED in rules.lifted) is (release >= (6, 14))
    assert rules.follows_missing_helpers is (release < (4, 15))
    assert rules.stack_arguments is False


def test_verdicts_of_releases_between() -> None:
    """A loop until 5.3; a call of the program's own from 4.16 on; a clock for all since 5.8."""

    def said(release: Release, *pieces: Instruction, gpl: bool = True) -> object:
        verdict = check_later(program(*pieces).instructions, release, KINDS["kprobe"], gpl=gpl)
        return verdict.errno if isinstance(verdict, Verdict) else "open"

    loop = (mov64_imm(R0, 0), ja(-1), exit_())
    assert [said(one, *loop) for one in ((4, 9), (5, 2), (5, 3), (5, 15))] == ["EINVAL", "EINVAL", "open", "open"]
    own = (Instruction(0x85, 0, 1, 0, 1), exit_(), *TAIL)
    assert [said(one, *own) for one in ((4, 9), (4, 15), (4, 16), (5, 15))] == ["EINVAL", "EINVAL", None, None]
    clock = (call(Helper.KTIME_GET_NS), exit_())
    assert [said(one, *clock, gpl=False) for one in ((5, 7), (5, 8), (6, 6))] == ["EINVAL", None, None]
    masked = (Instruction(0x57, R1, 0, 0, 8), *TAIL)
    assert [said(one, *masked) for one in ((4, 9), (5, 9), (5, 10), (6, 6))] == ["open", "open", "EACCES", "EACCES"]


def test_what_nobody_knows_has_its_reason() -> None:
    open_ = check_later(program(Instruction(0x57, R1, 0, 0, 8), *TAIL).instructions, (4, 19), KINDS["kprobe"])
    assert isinstance(open_, Unpredicted)
    assert "this arithmetic on a pointer" in open_.reason and "4.19" in open_.reason
