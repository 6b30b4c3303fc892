# SPDX-License-Identifier: MIT
"""A result in plain text, whole and where room is short."""

from __future__ import annotations

from dataclasses import replace

from harness.compare import Blame, Verdict
from harness.report.account import account, excerpt, finding
from harness.run.results import ProgramText, ScriptText
from tests.harness.reports import ATTACH, LANES, OPERATIONS, PROGRAM, report, result

STEP = replace(ATTACH, index=4, depends_on=(1,))
DIVERGED = replace(result(LANES[0], "lookup", Verdict.DIVERGE), operation=STEP)
OTHER = ProgramText(2, "other", ("0: (95) exit",), "9500000000000000")
TEXT = ScriptText("lookup", "", (*OPERATIONS, "Close(descriptor=e)"), (), programs=(PROGRAM, OTHER))


def test_an_excerpt_leaves_out_what_has_no_influence_and_counts_it() -> None:
    lines = [line for line in excerpt(TEXT, DIVERGED) if not line.startswith("           ")]
    assert lines == [
        "script lookup",
        "          (1 without influence)",
        f"    1  {OPERATIONS[1]}",
        "         program p:",
        "          (2 without influence)",
        f"->  4  {OPERATIONS[4]}",
        "          (1 behind it)",
    ]


def test_where_a_run_did_not_record_what_has_influence_everything_before_has() -> None:
    told = "\n".join(excerpt(TEXT, replace(DIVERGED, operation=replace(STEP, depends_on=()))))
    assert "without influence" not in told and "program other:" in told


def test_all_of_it_has_every_operation_and_the_programs_that_matter() -> None:
    told = "\n".join(account(report(DIVERGED), DIVERGED))
    for operation in OPERATIONS:
        assert operation in told
    assert "\n           ".join(PROGRAM.listing) in told


def test_who_stands_alone_is_told_where_three_have_a_word() -> None:
    three = replace(DIVERGED, operation=replace(STEP, expectation="EEXIST"), blame=Blame.KERNEL)
    assert list(finding(three)) == [
        f"operation 4: {OPERATIONS[4]}",
        "expected: EEXIST",
        "predicted: EEXIST",
        "observed: 0",
        "the kernel differs from expectation and model",
    ]
