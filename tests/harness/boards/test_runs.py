# SPDX-License-Identifier: MIT
"""A guest as a board, known to the bench by nothing but host, port and key: runs on it, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.boards.running import Run
from tests.harness.boards.standin import StandIn

pytestmark = pytest.mark.guest
_HELD = "ls -A /tmp; cat /tracing/kprobe_events /proc/sys/net/core/bpf_jit_enable; pidof agent.bin"
_GIVES_UP = "3"
"""Nominal seconds for which the last run waits for a board that does not come back."""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A board that reboots when its kernel panics, and shows no configuration."""
    standin = StandIn(tmp_path_factory.mktemp("board"), panic=1)
    standin.switch("on")
    standin.answers()
    yield standin
    standin.switch("off")


@pytest.fixture
def reach(board: StandIn) -> tuple[str, ...]:
    """The options that lead to the board."""
    return "--target", "ssh://bench-pi", *board.reach


def held(board: StandIn) -> str:
    """What a run may change there."""
    return board.ssh(_HELD).stdout


def test_scripts_agree(board: StandIn, reach: tuple[str, ...], tmp_path: Path) -> None:
    before = held(board)
    run = Run(tmp_path, "run", *reach, "--scripts", "count*")
    assert run.end() == 0, run.said
    assert "judged by the rules of 6.1, Debian's" in run.said
    assert {result["verdict"] for result in run.results} == {"agree"}
    assert held(board) == before


def test_probes_that_stay_while_a_run_lasts_are_removed(board: StandIn, reach: tuple[str, ...], tmp_path: Path) -> None:
    before = held(board)
    run = Run(tmp_path, "fuzz", *reach, "--seed", "7", "--cases", "2")
    assert run.end() == 0, run.said
    assert held(board) == before


def test_a_run_that_is_interrupted_leaves_the_board_as_it_was(
    board: StandIn, reach: tuple[str, ...], tmp_path: Path
) -> None:
    before = held(board)
    run = Run(tmp_path, "run", *reach, "--repeat", "50")
    run.until("running interp")
    run.interrupt()
    assert run.end() == 130, run.said
    assert held(board) == before


def test_a_board_that_reboots_costs_the_script_that_ran(board: StandIn, reach: tuple[str, ...], tmp_path: Path) -> None:
    before = held(board)
    board.crash_at_a_probe()
    run = Run(tmp_path, "run", *reach, "--scripts", "count*,stored*")
    assert run.end() == 3, run.said
    (lost,) = (result for result in run.results if result["verdict"] != "agree")
    assert (lost["verdict"], len(run.results)) == ("lost", 6), run.said
    assert "the board does not answer any more" in lost["reason"]
    assert "goes on with another" in run.said
    assert held(board) == before


def test_a_board_that_does_not_come_back_loses_what_did_not_run(
    board: StandIn, reach: tuple[str, ...], tmp_path: Path
) -> None:
    """The last test: the board stays off."""
    run = Run(tmp_path, "conform", *reach, "--clauses", "DET-*", "--target-timeout", _GIVES_UP)
    run.until("running jit")
    board.switch("off")
    assert run.end() == 3, run.said
    lost = [result for result in run.results if result["verdict"] == "lost"]
    assert 0 < len(lost) < len(run.results)
    reasons = {result["reason"] for result in lost}
    told = ("SSH: the connection broke", "the board does not answer any more")
    assert any(sentence in reason for sentence in told for reason in reasons), reasons
    assert any("nothing answers SSH at 127.0.0.1" in reason for reason in reasons), reasons
    assert "the line was cut before the board was put back" in run.said
