# SPDX-License-Identifier: MIT
"""Known divergences: what the file must say, what it excuses, and what is no longer worth excusing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from harness import core_scripts
from harness.clauses import clauses
from harness.compare import Verdict
from harness.conform.commands import KNOWN
from harness.run import known
from harness.run.choice import known_lanes
from harness.run.known import KnownDivergence, excuse
from harness.run.results import OperationReport, RunReport, ScriptResult
from harness.script.text import describe
from hil.arch import architecture
from hil.errors import BenchError
from hil.kernels import store

CATALOGUED = {"linux-4.1", "debian-11", "debian-12", "debian-13", "debian-sid"}
WHOLE = "[[known]]\n" + "".join(f"{name} = 'x'\n" for name in ("script", "lane", "operation", "reason", "link"))
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[knwon]]\nscript = "*"\n', "'knwon' has no meaning"),
        (f"{WHOLE}lnae = '*'\n", "known divergence 1 has 'lnae'; did you mean 'lane'?"),
    ],
)
def test_what_would_excuse_nothing_without_a_word_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(text)
    with pytest.raises(BenchError, match=re.escape(said)):
        known.read(tmp_path / "known.toml")


def _places() -> Iterator[tuple[str, str, str]]:
    for lane in known_lanes():
        yield str(lane), lane.arch, store.era(lane.kernel, architecture(lane.arch))


@pytest.mark.parametrize("path", [KNOWN, core_scripts.KNOWN], ids=["clauses", "core_scripts"])
def test_every_row_names_an_operation_that_there_is(path: Path) -> None:
    """A row that is misspelt excuses nothing, and nobody is told."""
    places = [place for place in _places() if place[0].split("/")[0] in CATALOGUED]
    scripts = {
        (arch, era): [clause.script(era) for clause in clauses(arch, era)]
        if path == KNOWN
        else core_scripts.core_scripts(arch, era)
        for arch, era in {(arch, era) for _, arch, era in places}
    }
    for row in known.read(path):
        assert any(
            fnmatchcase(script.name, row.script) and fnmatchcase(describe(operation), row.operation)
            for lane, arch, era in places
            if fnmatchcase(lane, row.lane)
            for script in scripts[arch, era]
            for operation in script.operations
        ), row
