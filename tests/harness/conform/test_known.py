# SPDX-License-Identifier: MIT
"""Known divergences: what the file must say, what it excuses, and what is no longer worth excusing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from harness import core_scripts
from harness.clauses import clauses
from harness.compare import Verdict
from harness.conform.commands import KNOWN
from harness.lane import Engine, Lane
from harness.run import known
from harness.run.choice import known_lanes
from harness.run.known import KnownDivergence, excuse
from harness.run.plan import shares
from harness.run.results import OperationReport, RunReport, ScriptResult
from harness.script.text import describe
from hil.arch import architecture
from hil.errors import BenchError
from hil.kernels import store
from hil.kernels.kernel import version_code

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


def test_a_row_may_be_about_versions(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(
        WHOLE.replace("'x'", "'*'") + 'versions = [["6.1.0", "6.1.9"], ["6.2", "6.3"]]'
    )
    rows = known.read(tmp_path / "known.toml")
    assert excuse(DIVERGED, rows) is DIVERGED, "before somebody says which kernel it is"
    said = {
        code: bool(known.about(rows, version_code(code))) for code in ("6.0.9", "6.1.9", "6.1.10", "6.2.0", "6.3.1")
    }
    assert said == {"6.0.9": False, "6.1.9": True, "6.1.10": False, "6.2.0": True, "6.3.1": False}
    assert excuse(DIVERGED, known.about(rows, version_code("6.1.5"))).verdict is Verdict.KNOWN
    assert known.about(rows, None) == (), "nobody knows yet which kernel it will be"
    assert known.about((ROW,), None) == (ROW,)
    agreed = ScriptResult("debian-12/arm64/jit", "ATTACH-02", Verdict.AGREE)
    assert known.stale(rows, report(agreed)) == (), "other versions agree"


@pytest.mark.parametrize("lane", ["debian-12@6.12.74/x86_64/interp", "debian-12@6.12.85/x86_64/interp"])
def test_a_run_is_told_of_those_about_its_kernel(lane: str) -> None:
    kernel, arch, _ = lane.split("/")
    share = next(iter(shares((Lane(kernel, arch, Engine.INTERP),), lambda *_: (), known.read(KNOWN))))
    wrong = ScriptResult(
        lane, "ISA-57.least32", Verdict.DIVERGE, "", replace(STEP, operation="LookupElement(map=result, x")
    )
    assert excuse(wrong, share.known).verdict is (Verdict.KNOWN if "6.12.74" in lane else Verdict.DIVERGE)


@pytest.mark.parametrize("written", ["6", '"6.1"', '["6.1", "6.2"]', "[[1, 2]]", '[["6.2", "6.1"]]', '[["6.1"]]', "[]"])
def test_versions_that_are_none_are_refused(written: str, tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(f"{WHOLE}versions = {written}\n")
    with pytest.raises(BenchError, match="known divergence 1 has versions"):
        known.read(tmp_path / "known.toml")


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
