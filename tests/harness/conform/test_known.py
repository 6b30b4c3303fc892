"""Known divergences: what the file must say, what it excuses, and what is no longer worth excusing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.conform.commands import KNOWN
from harness.run import known
from harness.run.known import KnownDivergence, excuse
from harness.run.results import OperationReport, RunReport, ScriptResult
from hil.errors import BenchError

ROW = KnownDivergence("ATTACH-*", "debian-12/*/jit", "Attach(*", "it is so", "https://example.org/why")
STEP = OperationReport(3, "Attach(event=event)", "EEXIST", "0")
DIVERGED = ScriptResult("debian-12/arm64/jit", "ATTACH-02", Verdict.DIVERGE, "operation 3", STEP)


def report(*results: ScriptResult) -> RunReport:
    return RunReport("2026-01-01", 1.0, ("hil",), {}, ("debian-12/arm64/jit",), (), results)


def test_every_row_of_the_file_is_whole() -> None:
    assert all(row.reason and row.link.startswith("https://") for row in known.read(KNOWN))


def test_a_known_divergence_is_told_as_such_with_its_reason_and_link() -> None:
    excused = excuse(DIVERGED, (ROW,))
    assert excused.verdict is Verdict.KNOWN
    for words in ("it is so", "https://example.org/why", "operation 3"):
        assert words in excused.reason
    assert report(excused).exit_status == 0
    assert report(DIVERGED).exit_status == 1


@pytest.mark.parametrize(
    "result",
    [
        ScriptResult("debian-12/arm64/interp", "ATTACH-02", Verdict.DIVERGE, "", STEP),
        ScriptResult("debian-12/arm64/jit", "DET-02", Verdict.DIVERGE, "", STEP),
        ScriptResult("debian-12/arm64/jit", "ATTACH-02", Verdict.DIVERGE, "", OperationReport(0, "Close()", "", "")),
        ScriptResult("debian-12/arm64/jit", "ATTACH-02", Verdict.LOST, "", STEP),
        ScriptResult("debian-12/arm64/jit", "ATTACH-02", Verdict.AGREE),
    ],
)
def test_nothing_else_is_excused(result: ScriptResult) -> None:
    assert excuse(result, (ROW,)) is result


def test_a_row_that_covers_no_divergence_any_more_is_told_of() -> None:
    agreed = ScriptResult("debian-12/arm64/jit", "ATTACH-02", Verdict.AGREE)
    assert known.stale((ROW,), report(agreed)) == (ROW,)
    assert known.stale((ROW,), report(agreed, excuse(DIVERGED, (ROW,)))) == ()
    assert known.stale((ROW,), report()) == ()


@pytest.mark.parametrize("missing", ["script", "lane", "operation", "reason", "link"])
def test_a_row_needs_a_reason_and_a_link(missing: str, tmp_path: Path) -> None:
    row = {"script": "DET-02", "lane": "*", "operation": "*", "reason": "because", "link": "https://example.org"}
    del row[missing]
    file = tmp_path / "known.toml"
    file.write_text("[[known]]\n" + "".join(f'{key} = "{value}"\n' for key, value in row.items()))
    with pytest.raises(BenchError, match=missing):
        known.read(file)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text("[[known]\n")
    with pytest.raises(BenchError, match=r"known\.toml"):
        known.read(file)
