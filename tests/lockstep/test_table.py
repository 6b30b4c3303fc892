# SPDX-License-Identifier: MIT
"""What a lane's file keeps, and what the page says of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from harness.kernel_bugs.bugs import bugs
from harness.lockstep.findings import Difference, Examined, Line
from harness.script.operations import LoadProgram
from tests.lockstep.covering import CLAUSE, CORE, GENERATED, Covered, Entry, append, read, scripts
from tests.lockstep.table import CAUSES, cause, page, unexplained

LANE = "debian-12/arm64/interp"
FOUND = Difference(
    "it",
    1,
    3,
    19,
    "(56) if w7 != 0x0 goto pc+1",
    "R0",
    "0x2",
    "0x1",
    (Line(19, "if", "", ""),),
    (),
    ("branch removed",),
)
EQUAL = Entry("counting", CORE, 1, Examined(2, 28, 30, 76, 72, ("5 registers: a register nobody wrote",)))
PARTED = Entry(
    "case-1-2", GENERATED, 1, Examined(1, 4, 3, 2, 1, ("2 steps: the kernel removed or replaced it",), FOUND)
)
NOTHING = Entry("LOAD-1", CLAUSE, 0, Examined(note="none of its programs ran"))


def test_a_lane_goes_on_where_it_ended(tmp_path: Path) -> None:
    file = tmp_path / "lane.jsonl"
    append(file, {"lane": LANE, "kernel": "6.1.0-56"})
    for entry in (EQUAL, PARTED, NOTHING):
        append(file, asdict(entry))
    whole = read(file)
    assert whole == Covered(LANE, "6.1.0-56", (EQUAL, PARTED, NOTHING))
    file.write_text(file.read_text()[:-20])
    assert read(file).entries == whole.entries[:2]


def test_the_page_counts_and_explains() -> None:
    text = page([Covered(LANE, "6.1.0-56", (EQUAL, PARTED, NOTHING))], "make it")
    row = "| 1 core, 1 generated, 0 clauses | 2 | 3 | 32 | 33 | 78 | 73 | 1 | 0 |"
    assert f"| {LANE} | 6.1.0-56 {row}" in text
    assert f"| {LANE} | [jmp32-pointer-zero](kernel-bugs.md#jmp32-pointer-zero) | 1: `case-1-2` |" in text
    assert f"| registers | a register nobody wrote | 5 on {LANE} | 1 |" in text
    assert f"| none of its programs ran | 1 on {LANE} |" in text


def test_a_difference_without_a_cause_is_told() -> None:
    lane = Covered("debian-13/arm64/interp", "6.12", (PARTED,))
    assert cause(lane.lane, PARTED.script, FOUND) == "" and unexplained(lane) == [PARTED]
    assert "not explained | 1: `case-1-2`" in page([lane], "make it")


def test_every_cause_is_an_error_that_is_described() -> None:
    assert {one.bug for one in CAUSES} <= {bug.id for bug in bugs()}


def test_what_a_lane_runs_has_programs() -> None:
    found = list(scripts("arm64", "4.1", 1, 5))
    assert {kind for kind, _ in found} == {CORE, GENERATED, CLAUSE} and len(found) > 100
    assert all(any(isinstance(one, LoadProgram) for one in script.operations) for _, script in found)
