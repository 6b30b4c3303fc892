# SPDX-License-Identifier: MIT
"""What a kernel does wrong where a tail call or a load ends a function is computed: nothing else is excused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.compare import Verdict
from harness.fuzz.known import known
from harness.kernel_bugs.bugs import Bug, bugs
from harness.lane import Engine, Lane
from harness.lowering.executor import Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.run.faulty import excuse_faulty
from harness.run.judging import judge
from harness.run.known import KnownDivergence, excuse
from harness.run.results import ScriptResult
from harness.script.outcome import Outcome

LANE, WHERE = Lane("debian-12", "x86_64", Engine.JIT), Environment("6.1", "x86_64", 0x601C0, "jit")
EARLIER, THERE = Lane("debian-11", "x86_64", Engine.INTERP), Environment("5.10", "x86_64", 0x50AFF, "interp")
"""A lane with the errors of tail calls, and one with that of loads from the packet."""
(BUDGET,) = (one for one in bugs() if one.id == "tail-call-budget-of-frames")
(REMOVED,) = (one for one in bugs() if one.id == "tail-call-ends-function")
(PACKET,) = (one for one in bugs() if one.id == "packet-load-ends-function")
LATER = replace(
    REMOVED,
    program="""
    main():
    r6 = r1
    r1 = 0
    *(u32 *)(r10 -4) = r1
    r2 = r10
    r2 += -4
    r1 = map map
    call bpf_map_lookup_elem#1
    if r0 != 0x0 goto found
    exit
    found: r1 = *(u64 *)(r0 +0)
    if r1 == 0x0 goto first
    r0 = 0
    exit
    first: r1 = 1
    *(u64 *)(r0 +0) = r1
    r8 = 5
    r1 = r6
    call again
    if r0 != 0x1 goto both
    r8 = 4
    both: if r8 == 0x4 goto fell
    r0 = 7
    exit
    fell: r0 = r8
    exit
    again():
    r2 = map programs
    r3 = 0
    call bpf_tail_call#12
    r0 = 1
    exit
    """,
)
"""Both sides of the comparison of what the function gave lead to one instruction, so that it stays; what follows from
one side decides the next."""


PACKET_LATER = replace(
    PACKET,
    program="""
    main():
    r6 = r1
    r8 = 5
    call load
    if r0 != 0x1 goto both
    r8 = 4
    both: if r8 == 0x4 goto fell
    r0 = 7
    exit
    fell: r0 = r8
    exit
    load():
    r6 = r1
    r0 = *(u8 *)skb[300]
    r0 = 1
    exit
    """,
)


def result(bug: Bug, verdict: int, entries: Sequence[KnownDivergence] | None = None) -> ScriptResult:
    """Of the program that shows an error, which returned this."""
    script = bug.script()
    lane, where = (EARLIER, THERE) if bug.id == PACKET.id else (LANE, WHERE)
    *before, _ = ModelExecutor(where).run(script)
    outcomes = [one if isinstance(one, Outcome) and one.value == 0 else Outcome(value=3) for one in before]
    seen = Observed(script, (*outcomes, Outcome(value=verdict)), 0.0)
    entries = tuple(known([lane], [script])) if entries is None else entries
    assert entries
    found = excuse_faulty(judge(lane, seen, ModelExecutor(where)), seen, where, entries)
    return excuse(found, entries)


@pytest.mark.parametrize(
    ("bug", "verdict", "expected"),
    [
        (BUDGET, 34, Verdict.AGREE),
        (BUDGET, 100, Verdict.KNOWN),
        (BUDGET, 99, Verdict.DIVERGE),
        (REMOVED, 7, Verdict.AGREE),
        (REMOVED, 8, Verdict.KNOWN),
        (REMOVED, 9, Verdict.DIVERGE),
        (LATER, 7, Verdict.AGREE),
        (LATER, 5, Verdict.KNOWN),
        (LATER, 4, Verdict.DIVERGE),
        (PACKET, 7, Verdict.AGREE),
        (PACKET, 8, Verdict.KNOWN),
        (PACKET, 9, Verdict.DIVERGE),
        (PACKET_LATER, 7, Verdict.AGREE),
        (PACKET_LATER, 5, Verdict.KNOWN),
        (PACKET_LATER, 4, Verdict.DIVERGE),
    ],
)
def test_only_what_a_kernel_with_the_error_gives_is_excused(bug: Bug, verdict: int, expected: Verdict) -> None:
    found = result(bug, verdict)
    assert found.verdict is expected
    assert (bug.title in found.reason) is (expected is Verdict.KNOWN)


def test_each_error_explains_its_own() -> None:
    """A case may have the code for both."""
    both = tuple(known([LANE], [BUDGET.script()]))
    assert {one.fault for one in both} == {BUDGET.fault, REMOVED.fault}
    assert BUDGET.title in result(BUDGET, 100).reason
    removed = [one for one in both if one.fault == REMOVED.fault]
    assert result(BUDGET, 100, removed).verdict is Verdict.DIVERGE
