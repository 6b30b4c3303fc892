# SPDX-License-Identifier: MIT
"""A run whose lanes do not say the same, with a fault planted in what one of them is seen to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.crosscheck.evidence import evidence
from harness.crosscheck.witness import Witness
from harness.history.kcidb import document as kcidb
from harness.history.ktap import text as ktap
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.judged import Judged
from harness.lane import Engine, Lane
from harness.lowering.context import Guest
from harness.lowering.executor import Observed
from harness.regress.change import Kind, changes
from harness.regress.side import whole
from harness.report.junit import text as junit
from harness.report.markdown import render as markdown
from harness.report.page import render as page
from harness.run import document, matrix
from harness.run.crosschecking import crosschecked
from harness.run.demands import Demands
from harness.run.known import KnownDivergence
from harness.run.plan import Share
from harness.run.results import OperationReport, RunReport, ScriptResult
from harness.script.operations import CreateMap, LoadProgram, LookupElement, ProgramType, Ref, Script
from harness.script.outcome import DESCRIPTOR, Outcome, Unpredicted
from harness.script.reason import Gap, Reason
from harness.testing import u64
from tests.fakes import FakeExecutor, FakeTarget, replace_machines

NO_RULE = Script(
    "no-rule",
    "a trie of prefixes, of which the model has no rule",
    (CreateMap("map", 11, 8, 8, 1), LookupElement(Ref("map"), bytes(4), 8)),
)
"""Nobody predicts either operation; the first has nothing to do with what is planted."""
LANES = tuple(f"debian-12/{arch}/{engine}" for arch in ("x86_64", "arm64") for engine in ("interp", "jit"))
ONE_LINE = (
    "operation 1, LookupElement(map=map, key=00000000, value_size=8): {}; nobody predicts it"
    " (debian-12/x86_64/jit differs from the others)"
)


class Silent:
    def state(self, share: Share, text: str) -> None:
        pass

    def done(self, lane: Lane, result: ScriptResult) -> None:
        pass


class Planted(FakeExecutor):
    """A kernel that says 2; on some lanes 1."""

    odd: frozenset[str] = frozenset()

    def __init__(self, target: FakeTarget, guest: Guest, **_: object) -> None:
        super().__init__(target, guest)
        self._engine = ""

    def switch(self, engine: Engine) -> None:
        self._engine = str(engine)

    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed]:
        lane = f"debian-12/{self.guest.arch}/{self._engine}"
        value = u64(1 if lane in self.odd else 2)
        for script in scripts:
            yield Observed(script, (Outcome(value=5), Outcome(value=0, data=value)), 0.1)


def run(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *odd: str, known: tuple[KnownDivergence, ...] = (), rounds: int = 1
) -> RunReport:
    class Here(Planted):
        pass

    Here.odd = frozenset(odd)
    replace_machines(monkeypatch, executor=Here)
    plan = [Share("debian-12", arch, tuple(Engine), (NO_RULE,), known, rounds) for arch in ("x86_64", "arm64")]
    return matrix.run(plan, folder, Silent(), jobs=1)


def test_the_lane_with_the_fault_is_named_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(monkeypatch, tmp_path, "debian-12/x86_64/jit")
    assert [one.lane for one in report.results if one.verdict is Verdict.DISAGREE] == ["debian-12/x86_64/jit"]
    (found,) = (one for one in report.results if one.verdict is Verdict.DISAGREE)
    words = (
        "debian-12/x86_64/interp,debian-12/arm64: 0, data 0200000000000000; "
        "debian-12/x86_64/jit: 0, data 0100000000000000"
    )
    assert found.reason == ONE_LINE.format(words)
    assert found.operation and found.operation.against == tuple(lane for lane in LANES if lane != found.lane)
    assert report.exit_status == 1
    assert found.again == "hil run --lanes debian-12 --scripts no-rule"


def test_a_divergence_of_two_is_told_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(monkeypatch, tmp_path, "debian-12/x86_64/jit", "debian-12/arm64/jit")
    assert {one.verdict for one in report.results} == {Verdict.DISAGREE}
    assert all(one.reason.endswith("; nobody predicts it") for one in report.results)


def test_what_other_lanes_judged_is_counted_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(monkeypatch, tmp_path)
    assert (report.judged.lanes, report.judged.none) == (8, 0)
    assert "by other lanes alone 8, by none 0" in str(report.judged)
    assert not report.unjudged
    assert list(Demands(predicted=True).broken(report)) == ["--require-predicted"]
    assert document.read(tmp_path / "results.json").judged == report.judged


def test_rounds_count_once_each_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(monkeypatch, tmp_path, "debian-12/x86_64/jit", rounds=2)
    assert [one.verdict is Verdict.DISAGREE for one in report.results] == [False, True, False, False]


def test_a_disagreement_that_is_known_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = KnownDivergence("no-rule", "*/jit", "LookupElement*", "a fault", "https://example.org/1")
    report = run(monkeypatch, tmp_path, "debian-12/x86_64/jit", known=(row,))
    (found,) = (one for one in report.results if one.verdict is Verdict.KNOWN)
    assert found.lane == "debian-12/x86_64/jit" and found.reason.startswith(
        "a fault (https://example.org/1); operation"
    )


def test_every_report_tells_who_disagrees_and_how_to_repeat_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(monkeypatch, tmp_path, "debian-12/x86_64/jit")
    told = {
        "junit": junit(report),
        "ktap": ktap(report),
        "markdown": markdown(report),
        "page": page(report, None),
        "kcidb": str(kcidb(report)),
    }
    for name, text in told.items():
        assert "debian-12/x86_64/jit: 0, data 0100000000000000" in text, name
        assert "hil run --lanes debian-12 --scripts no-rule" in text or name == "kcidb", name
    assert "not ok 1 no-rule" in told["ktap"]


def test_a_new_disagreement_is_worse_than_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    before = whole(run(monkeypatch, tmp_path / "one"))
    after = whole(run(monkeypatch, tmp_path / "other", "debian-12/x86_64/jit"))
    (change,) = changes(before, after)
    assert (change.kind, change.lane, change.worse) == (Kind.DISAGREES, "debian-12/x86_64/jit", True)
    assert [one.kind for one in changes(after, before)] == [Kind.FIXED]
    assert not changes(after, after)


def test_a_disagreement_tells_for_whom_a_load_is_predicted() -> None:
    load = LoadProgram("program", ProgramType.SOCKET_FILTER, program(mov64_imm(R0, 0), exit_()))
    script = Script("s", "", (load,))
    lanes = [Lane("debian-12", "x86_64", engine) for engine in Engine]
    interp, jit = (Witness(lane, 0x601C0, "Debian", frozenset()) for lane in lanes)
    found = [
        evidence(interp, script, (Unpredicted(Reason("a verdict", Gap.VERDICT)),), (Outcome(errno="EACCES"),)),
        evidence(jit, script, (Outcome(value=DESCRIPTOR),), (Outcome(value=5),)),
    ]
    left = (OperationReport(0, "LoadProgram(...)", "unpredicted: a verdict", "EACCES"),)
    open_ = ScriptResult(str(interp.lane), "s", Verdict.AGREE, unpredicted=left, judged=Judged(none=1))
    sure = ScriptResult(str(jit.lane), "s", Verdict.AGREE, judged=Judged(model=1))
    one, other = crosschecked((open_, sure), [one for one in found if one], {str(lane): () for lane in lanes})
    assert one.verdict is Verdict.DISAGREE and one.judged == Judged(lanes=1)
    assert one.reason.endswith("it is predicted for debian-12/x86_64/jit only")
    assert other == sure
