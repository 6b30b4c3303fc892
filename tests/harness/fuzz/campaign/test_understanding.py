# SPDX-License-Identifier: MIT
"""What a campaign's process knows of the divergences of its cases; no guest takes part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.fuzz.campaign import warm, work
from harness.fuzz.campaign.plan import Place
from harness.fuzz.campaign.work import Done, Task, share_of, understood
from harness.session import OnBoard
from hil.board.address import parse
from hil.board.board import Board
from tests.fakes import fake_kernel
from tests.harness.kernel_bugs.fakes import BUG, LANE, RIGHT, WRONG, replace_machines_by_erring, showing

PLACE = Place(LANE.kernel, LANE.arch, (LANE.engine,), "6.1")
SCRIPTS = (showing("one"), showing("another"))


def on_a_board(like: str) -> set[tuple[str, str, str]]:
    """Returns of which script and on which lane which error is known, on a board that is like a kernel."""
    kernel = fake_kernel("board:pi", LANE.arch)
    board = OnBoard(Board(parse("ssh://pi"), "", ""), kernel, like)
    place = Place(kernel.name, LANE.arch, (LANE.engine,), "6.1")
    return {(one.script, one.lane, one.fault) for one in understood(share_of(place, SCRIPTS, board), SCRIPTS[:1])}


def test_errors_of_a_kernel_are_known_in_the_scripts_that_are_asked_about() -> None:
    entries = understood(share_of(PLACE, SCRIPTS), SCRIPTS[:1])
    assert ("one", str(LANE), BUG.fault) in {(one.script, one.lane, one.fault) for one in entries}
    assert {one.script for one in entries} == {"one"}
    assert understood(share_of(PLACE, SCRIPTS), ()) == ()


def test_a_board_has_the_errors_of_the_kernel_that_it_is_like() -> None:
    assert ("one", "board:pi/arm64/jit", BUG.fault) in on_a_board(like=LANE.kernel)
    assert BUG.fault not in {fault for _, _, fault in on_a_board(like="debian-sid")}
    assert on_a_board(like="") == set(), "it is like none of the catalogue's"


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Done]:
    """What comes of three cases with one program, which goes wrong as is known, or not at all, or in another way."""
    kept = warm.Kept()
    monkeypatch.setattr(work, "_kept", kept)
    monkeypatch.setitem(work.GENERATORS, "programs", lambda seed, number, rules: showing(f"case-{seed}-{number}"))
    replace_machines_by_erring(monkeypatch, {"case-1-0": WRONG, "case-1-1": RIGHT, "case-1-2": WRONG + 1})
    yield work.carry_out(Task(PLACE, "programs", 1, range(3), tmp_path))
    kept.close()


def test_a_case_that_goes_wrong_as_is_known_is_no_finding(done: Done) -> None:
    found = {result.script: result.verdict for result in done.results}
    assert found == {"case-1-0": Verdict.KNOWN, "case-1-2": Verdict.DIVERGE}
    assert [one.found.script for one in done.shrunk] == ["case-1-2"]


def test_what_is_known_is_told_of_the_cases_whose_results_are(done: Done) -> None:
    """Whoever puts the results of all lanes together needs it, and has no programs to look for it."""
    assert {one.script for one in done.known} == {"case-1-0", "case-1-2"}
    assert {one.lane for one in done.known} == {str(LANE)}
