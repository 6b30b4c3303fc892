# SPDX-License-Identifier: MIT
"""`--on-divergence lockstep`: which results are looked at again, and where what is found goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.compare import Verdict
from harness.lane import Engine, Lane
from harness.lockstep import explaining
from harness.lockstep.findings import Difference, Examined, Line
from harness.report import junit, page
from harness.report.account import finding
from harness.run.document import parse
from harness.run.examining import BOARD, MOST, in_lockstep
from harness.run.plan import Share
from harness.run.results import MachineReport, RunReport, ScriptResult
from harness.run.worker import Worker
from harness.script.operations import Pin, Script
from harness.session import Listener
from hil.errors import BenchError

LANE = Lane("debian-12", "x86_64", Engine.INTERP)
AROUND = (Line(6, "(07) r1 += 1", "R1=0x2", "R1=0x2"), Line(7, "(a7) r7 ^= 85", "R7=0x1", "R7=0x0", here=True))
FOUND = Examined(
    runs=1,
    steps=9,
    values=20,
    difference=Difference(
        "program", 1, 6, 7, "(a7) r7 ^= 85", "R7", "0x1", "0x0", around=AROUND, native=("0x10: xor rax, 85",)
    ),
    left_out=("3 registers: a register nobody wrote",),
)


class Silent:
    def state(self, share: Share, text: str) -> None:
        pass

    def done(self, lane: Lane, result: ScriptResult) -> None:
        pass


def worker(verdicts: Sequence[Verdict], folder: Path) -> Worker:
    scripts = tuple(Script(f"script-{number}", "one", (Pin(0),)) for number in range(len(verdicts)))
    made = Worker(Share("debian-12", "x86_64", (Engine.INTERP, Engine.JIT), scripts), folder, Silent())
    made.results += [
        ScriptResult(str(LANE), script.name, verdict, "why") for script, verdict in zip(scripts, verdicts, strict=True)
    ]
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Lane, list[str]]]:
    """Which lanes were examined, with which scripts."""
    made: list[tuple[Lane, list[str]]] = []

    def explain(lane: Lane, scripts: Sequence[Script], folder: Path, listener: Listener) -> dict[str, Examined]:
        made.append((lane, [script.name for script in scripts]))
        return {script.name: FOUND for script in scripts}

    monkeypatch.setattr(explaining, "explain", explain)
    return made


def test_what_diverged_is_examined(asked: list[Any], tmp_path: Path) -> None:
    one = worker((Verdict.AGREE, Verdict.DIVERGE, Verdict.LOST), tmp_path)
    in_lockstep([one], tmp_path)
    assert asked == [(LANE, ["script-1"])]
    assert [result.lockstep for result in one.results] == [None, FOUND, None]


def test_of_many_the_first_are_examined(asked: list[Any], tmp_path: Path) -> None:
    one = worker((Verdict.DIVERGE,) * (MOST + 2), tmp_path)
    in_lockstep([one], tmp_path)
    assert len(asked[0][1]) == MOST and [bool(result.lockstep) for result in one.results].count(True) == MOST


def test_without_divergences_nothing_is_booted(asked: list[Any], tmp_path: Path) -> None:
    in_lockstep([worker((Verdict.AGREE, Verdict.KNOWN), tmp_path)], tmp_path)
    assert not asked


def test_a_board_is_not_examined(asked: list[Any], tmp_path: Path) -> None:
    one = worker((Verdict.DIVERGE,), tmp_path)
    board: Any = object()
    one.share = replace(one.share, board=board)
    in_lockstep([one], tmp_path)
    assert not asked and one.results[0].lockstep == Examined(note=BOARD)


def test_a_lane_that_cannot_be_examined_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise BenchError("no C compiler for QEMU's plugin")

    monkeypatch.setattr(explaining, "prepare", refuse)
    found = explaining.explain(LANE, [Script("it", "one", (Pin(0),))], tmp_path, Listener())
    assert found["it"].note == "no C compiler for QEMU's plugin"


def report() -> RunReport:
    result = ScriptResult(str(LANE), "it", Verdict.DIVERGE, "operation 1: differs", lockstep=FOUND, again="hil run")
    return RunReport("2026", 1.0, ("hil", "run"), {}, (str(LANE),), (MachineReport("debian-12", "x86_64"),), (result,))


def test_it_is_data_in_the_record_and_read_again() -> None:
    text = json.dumps(report().record(), default=str)
    assert parse(text, "results.json").results[0].lockstep == FOUND


@pytest.mark.parametrize("render", [lambda made: page.render(made, None), junit.text])
def test_reports_have_the_instruction(render: Any) -> None:
    text = render(report())
    assert "program, run 1, step 6: after instruction 7, (a7) r7 ^= 85" in text
    assert "native 0x10: xor rax, 85" in text and "R7: model 0x1, kernel 0x0" in text


def test_the_account_has_both_sides_around() -> None:
    (result,) = report().results
    lines = list(finding(result))
    assert "     6: (07) r1 += 1   R1=0x2" in lines
    assert ">    7: (a7) r7 ^= 85  model R7=0x1; kernel R7=0x0" in lines
    assert list(finding(replace(result, lockstep=None))) == lines[:1]
