# SPDX-License-Identifier: MIT
"""The summary for a CI job's page: what it tells, how long it may be, and that nothing in it comes alive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings

from harness.compare import Verdict
from harness.regress import baseline
from harness.regress.baseline import Known
from harness.report import markdown
from harness.report.commands import report as command
from harness.run.known import KnownDivergence, excuse
from harness.run.results import OperationReport, RunReport, ScriptResult
from tests.harness.reports import ATTACH, LANES, agreeing, everything, report, reports, result

GOLDEN = Path(__file__).parent / "everything.md"


def test_it_reads_as_the_golden_file() -> None:
    assert markdown.render(everything()) == GOLDEN.read_text()


def test_a_run_as_predicted_is_a_table_and_the_kernels() -> None:
    told = markdown.render(agreeing())
    assert told.startswith("## hil run: as predicted\n")
    assert "### Not as predicted" not in told
    assert told.count("<details>") == 1


def test_an_interrupted_run_says_so_first() -> None:
    assert markdown.render(replace(agreeing(), interrupted=True)).startswith("## hil run: interrupted, not complete\n")


def divergences(count: int, reason: str) -> RunReport:
    made = (replace(result(LANES[0], f"script-{n}", Verdict.DIVERGE), reason=f"{n}: {reason}") for n in range(count))
    return report(*made, lanes=LANES[:1])


@pytest.mark.parametrize("reason", ["short", "ü" * 5000])
def test_what_does_not_fit_is_left_out_and_counted(reason: str) -> None:
    told = markdown.render(divergences(10_000, reason))
    assert markdown.LIMIT - 20_000 < len(told.encode()) <= markdown.LIMIT
    kept = told.count("**diverge**")
    assert f"\n{10_000 - kept} more do not fit here; report.html has them.\n" in told
    assert told.endswith("</details>\n") and "<summary>Kernels" in told


@settings(deadline=None)
@given(reports())
def test_every_piece_is_left_out_before_the_limit_is_passed(made: RunReport) -> None:
    whole = len(markdown.render(made).encode())
    for limit in range(whole - 400, whole + 1, 50):
        told = markdown.render(made, limit)
        assert len(told.encode()) <= limit or ("**" not in told and "| `why" not in told)
        assert told.count("<details>") == told.count("</details>")
        assert told.count("```") % 2 == 0


def test_a_long_reason_is_cut() -> None:
    assert len(markdown.render(divergences(1, "x" * 100_000))) < 10_000


def test_what_a_guest_says_stays_code() -> None:
    evil = "```\n</details><img src=x> | `@somebody` ## heading"
    made = report(
        ScriptResult(LANES[0], "a|b`c", Verdict.LOST, evil),
        ScriptResult(LANES[0], "d", Verdict.UNSUPPORTED, evil),
        lanes=LANES[:1],
    )
    told = markdown.render(made)
    assert f"````text\n{evil}\n````\n" in told
    assert "``a\\|b`c``" in told
    assert "| ```` ``` </details><img src=x> \\| `@somebody` ## heading ```` |" in told


def test_cases_of_one_known_divergence_are_one_row_with_its_link() -> None:
    entry = KnownDivergence("*", "*", "*", "the JIT is wrong", "https://example.org/1")
    made = report(
        *(
            excuse(
                replace(result(LANES[0], f"script-{n}", Verdict.DIVERGE), reason=f"operation 4, Attach: saw {n}"),
                [entry],
            )
            for n in range(10)
        ),
        lanes=LANES[:1],
    )
    told = markdown.render(made)
    assert told.startswith("## hil run: as predicted\n")
    assert "<details><summary>Known divergences: 10 results</summary>" in told
    names = ", ".join(f"`script-{n}`" for n in range(8))
    row = f"| {names} and 2 more scripts | `{LANES[0]}` | `the JIT is wrong` <https://example.org/1> |"
    assert row in told.splitlines()


def test_operations_nobody_predicts_are_counted() -> None:
    step = OperationReport(1, "Close(event=e)", "unpredicted: no rule", "0")
    told = markdown.render(report(replace(result(LANES[0], "counting"), unpredicted=(step,)), lanes=LANES[:1]))
    assert "| lane | scripts | agree | operations unpredicted |" in told
    assert "Neither the model, a clause nor another lane says what 1 operations give." in told


def ask(*arguments: str | Path) -> str:
    made = CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False, standalone_mode=False)
    return made.output


def test_the_command_prints_it_or_writes_it(tmp_path: Path) -> None:
    everything().write(tmp_path / "results.json")
    assert ask(tmp_path, "--format", "markdown") == GOLDEN.read_text()
    assert ask(tmp_path, "--format", "markdown", "-o", tmp_path / "summary.md") == ""
    assert (tmp_path / "summary.md").read_text() == GOLDEN.read_text()


def test_what_a_baseline_knows_is_folded(tmp_path: Path) -> None:
    everything().write(tmp_path / "results.json")
    entry = Known(LANES[0], "lookup", ATTACH.operation, "the kernel is wrong", "https://example.org/1")
    (tmp_path / "known.json").write_text(baseline.text((entry,)))
    told = ask(tmp_path, "--format", "markdown", "--baseline", tmp_path / "known.json")
    assert "**diverge**" not in told
    assert "`the kernel is wrong` <https://example.org/1>" in told
