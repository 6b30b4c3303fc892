"""What `hil fuzz` says without a machine."""

from __future__ import annotations

from click.testing import CliRunner

from harness.compare import Verdict
from harness.fuzz.commands import fuzz, listings, paces
from harness.fuzz.generate import cases
from harness.lane import Engine
from harness.model.eras import era
from harness.run.plan import Share
from harness.run.results import RunReport, ScriptResult
from hil.errors import UserError

SCRIPTS = tuple(cases(1, 8, era("6.1"), "arm64"))
PLAN = (Share("debian-12", "arm64", (Engine.JIT,), SCRIPTS),)
LANE = "debian-12/arm64/jit"


def report(*results: ScriptResult) -> RunReport:
    return RunReport("2026-01-01", 10.0, (), {}, (LANE,), (), results)


def test_wrong_usage() -> None:
    runner = CliRunner()
    assert runner.invoke(fuzz, ["--cases", "0"]).exit_code == 2
    assert runner.invoke(fuzz, ["--seed", "-1"]).exit_code == 2
    error = runner.invoke(fuzz, ["--lanes", "debian-21"]).exception
    assert isinstance(error, UserError) and "debian-21" in str(error)


def test_the_program_of_a_divergence_is_listed() -> None:
    found = report(
        ScriptResult(LANE, SCRIPTS[0].name, Verdict.AGREE),
        *(ScriptResult(LANE, script.name, Verdict.DIVERGE, "operation 5") for script in SCRIPTS[1:]),
    )
    lines = list(listings(found, PLAN))
    assert len(lines) == 10  # five cases, each with a line of its own and its program
    assert lines[0] == f"{LANE} {SCRIPTS[1].name}: operation 5"
    assert "exit" in lines[1]


def test_paces() -> None:
    results = [ScriptResult(LANE, script.name, Verdict.AGREE, seconds=0.01) for script in SCRIPTS]
    assert list(paces(report(*results))) == [f"{LANE}: 100 cases/s in the guest", "0.8 cases/s with everything"]
