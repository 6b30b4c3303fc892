# SPDX-License-Identifier: MIT
"""The plot of earlier runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness.compare import Verdict
from harness.history.commands import history
from harness.history.store import Entry, History
from harness.report import plot
from hil.errors import UserError
from tests.harness.report.test_page import Outline
from tests.harness.reports import agreeing, everything

CONFORM = ("/usr/bin/hil", "conform", "--lanes", "debian-12")


def entry(number: int, command: tuple[str, ...] = CONFORM, seconds: float = 10.0, **counts: int) -> Entry:
    given = Counter({Verdict(verdict): count for verdict, count in counts.items()})
    return Entry(number, "2026-01-02", seconds, 0, False, Path("/runs"), command, ("debian-12/x86_64/jit",), given)


def test_the_runs_of_a_command_are_one_plot_wherever_its_output_went() -> None:
    entries = [
        entry(4, (*CONFORM, "--output", "elsewhere")),
        entry(3, ("hil", "run")),
        entry(2, (*CONFORM, "--output=runs")),
        entry(1),
    ]
    found = {one.command: [run.entry.id for run in one.runs] for one in plot.plots(entries)}
    assert found == {"hil conform --lanes debian-12": [1, 2, 4], "hil run": [3]}


@given(st.dictionaries(st.sampled_from([str(verdict) for verdict in Verdict]), st.integers(1, 10**6)))
def test_the_bars_of_a_run_fill_it_and_agreement_is_last(counts: dict[str, int]) -> None:
    ((run,),) = (one.runs for one in plot.plots([entry(1, **counts)]))
    assert sum(bar.height for bar in run.bars) == pytest.approx(1 if counts else 0)
    assert [bar.top for bar in run.bars] == pytest.approx(
        [sum(b.height for b in run.bars[:n]) for n in range(len(run.bars))]
    )
    assert Verdict.AGREE not in [bar.verdict for bar in run.bars[:-1]]


def test_times_are_parts_of_the_longest() -> None:
    ((one, two),) = (found.runs for found in plot.plots([entry(2, seconds=5), entry(1, seconds=20)]))
    assert (one.slow, two.slow) == (1.0, 0.25)


def test_the_command_draws_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="has no run yet; run something"):
        CliRunner().invoke(history, ["plot"], catch_exceptions=False, standalone_mode=False)
    for made in (agreeing(), everything(), replace(agreeing(), command=("hil", "run", "<evil>"))):
        History().record(made, tmp_path)
    made = CliRunner().invoke(history, ["plot"], catch_exceptions=False, standalone_mode=False)
    assert made.output == "3 runs: history.html\n"
    page = Outline((tmp_path / "history.html").read_text())
    assert "hil run --lanes debian-12" in page.words and "hil run '<evil>'" in page.words
    assert "run 2 of 2026-01-02T03:04:05+00:00: 1 diverge, 1 disagree, 1 flaky" in page.words
    assert len([one for one in page.every("rect") if one["class"] == "boot"]) == 2
