# SPDX-License-Identifier: MIT
"""Findings made smaller, written, and read again; a model with a mistake stands for a kernel with one."""

from __future__ import annotations

import json
import logging
import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from filelock import FileLock

from harness.compare import Blame, Verdict
from harness.fuzz.finding import files, judging
from harness.fuzz.finding.cutting import instructions, operations, size, without
from harness.fuzz.finding.judging import Kind, Shrunk, shrunk
from harness.fuzz.finding.shrinking import shrink
from harness.fuzz.generate import case
from harness.isa.assemble import R0, R1, exit_, ja, jeq_imm, ld_imm64, mov64_imm, program
from harness.isa.instruction import Instruction
from harness.run.results import OperationReport, ScriptResult
from harness.script.operations import LoadProgram, ProgramType, Script
from tests.harness.fuzz.finding.models import LANE, SESSION, WHERE, first_difference, mistaken

MOST = 8
"""Instructions of a shrunk program: the mistake, what makes its operands, and those that tell the result."""


@pytest.fixture(scope="module", params=["xor64_reg", "arsh64_imm", "mul64_imm", "jset_imm"])
def smallest(request: pytest.FixtureRequest) -> Shrunk:
    model = mistaken(request.param)
    script, result = first_difference(model)
    found = shrunk(SESSION, LANE, script, result, model)
    assert request.param in found.opcodes
    return found


def test_a_finding_shrinks_to_what_shows_it(smallest: Shrunk) -> None:
    assert smallest.after <= MOST < smallest.before
    assert Kind.of(smallest.result) == Kind.of(smallest.found)
    assert len(smallest.script.operations) <= 7


def test_what_is_written_is_read_and_shows_the_same(smallest: Shrunk, tmp_path: Path) -> None:
    path = files.write(tmp_path / "findings", smallest, {"seed": 1})
    read = files.read(path)
    assert read.script == smallest.script
    assert read.lanes == (str(LANE),)
    compile(path.with_suffix(".py").read_text(), "test.py", "exec")
    assert path.with_suffix(".c").read_text() == smallest.c and "static int judge(void)" in smallest.c
    before = path.read_text()
    assert files.write(tmp_path / "findings", replace(smallest, before=99), {}) == path
    assert path.read_text() == before


def test_a_corpus_has_one_of_a_class_with_all_its_lanes(smallest: Shrunk, tmp_path: Path) -> None:
    path = files.collect(tmp_path / "a" / "corpus", smallest, {"seed": 1})
    other = replace(smallest, result=replace(smallest.result, lane="debian-13/arm64/jit"))
    assert files.collect(path.parent, other, {"seed": 2}) == files.collect(path.parent, smallest, {"seed": 3}) == path
    assert files.read(path).lanes == (str(LANE), "debian-13/arm64/jit")
    assert json.loads(path.read_text())["origin"] == {"seed": 1}
    elsewhere = replace(smallest.result, operation=None, reason="of another kind")
    assert files.collect(path.parent, replace(smallest, result=elsewhere), {}) != path
    assert len(list(path.parent.glob("*.json"))) == 2


def test_a_corpus_that_cannot_be_written_is_warned_of(
    smallest: Shrunk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    files.collect(tmp_path / "file" / "corpus", smallest, {"seed": 1})
    assert f"{smallest.found.script} is not collected: {tmp_path / 'file'}" in caplog.text


def test_a_corpus_has_the_lanes_of_all_that_collect_at_once(smallest: Shrunk, tmp_path: Path) -> None:
    """Each of two processes adds lanes of its own."""
    path = files.collect(tmp_path, smallest, {})
    lanes = [[f"kernel-{number}/{arch}/jit" for number in range(25)] for arch in ("arm64", "x86_64")]
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(len(lanes), timeout=60)
    processes = [context.Process(target=collect_all, args=(start, tmp_path, smallest, those)) for those in lanes]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert set(files.read(path).lanes) == {str(LANE), *lanes[0], *lanes[1]}


def test_what_cannot_be_collected_is_warned_of(
    smallest: Shrunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged file stays, and is told once."""
    damaged = tmp_path / files.name(smallest)
    damaged.write_text('{"format": 1, "lan')
    for _ in range(2):
        assert files.collect(tmp_path, smallest, {}) == damaged
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told.count(str(damaged)) == 1 and f"until {damaged.name} is removed" in told
    assert damaged.read_text() == '{"format": 1, "lan'
    caplog.clear()
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    damaged.unlink()
    with FileLock(tmp_path / files.LOCK):
        files.collect(tmp_path, smallest, {})
    assert "another process holds" in caplog.text and not damaged.exists()


def test_a_finding_that_does_not_come_again_stays_as_it_was() -> None:
    script, result = first_difference(mistaken("xor64_reg"))
    found = shrunk(SESSION, LANE, script, result, mistaken("mul64_imm"))
    assert (found.script, found.result) == (script, result)
    assert (found.c, found.why_no_c) == ("", "it did not come again")


def test_a_model_that_fails_at_a_smaller_script_costs_that_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = mistaken("xor64_reg")
    script, result = first_difference(model)
    run = model.run

    def failing(smaller: Script, *rest: object) -> object:
        if len(smaller.operations) < len(script.operations):
            raise ValueError("negative shift count")
        return run(smaller, *rest)

    monkeypatch.setattr(model, "run", failing)
    found = shrunk(SESSION, LANE, script, result, model)
    assert len(found.script.operations) == len(script.operations)
    assert found.after < found.before, "instructions could go"


def test_a_fault_in_making_the_c_program_costs_that_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object) -> str:
        raise OverflowError("too large")

    monkeypatch.setattr(judging, "in_c", failing)
    model = mistaken("xor64_reg")
    found = shrunk(SESSION, LANE, *first_difference(model), model)
    assert found.after <= MOST < found.before
    assert (found.c, found.why_no_c) == ("", "the bench failed at it: OverflowError: too large")
    assert "there is no C program of a smaller" in caplog.text


def differing(operation: str, predicted: str, observed: str, blame: Blame = Blame.MODEL) -> ScriptResult:
    step = OperationReport(0, operation, predicted, observed)
    return ScriptResult(str(LANE), "s", Verdict.DIVERGE, operation=step, blame=blame)


def test_a_number_is_the_same_whatever_tells_it() -> None:
    by_map = differing("LookupElement(map=m)", "01", "02")
    assert Kind.of(by_map) == Kind.of(differing("RunSocketFilter(program=p)", "1", "2"))
    for other in (
        differing("LookupElement(map=m)", "ENOENT", "02"),
        differing("RunSocketFilter(program=p)", "1", "EPERM"),
        differing("GetNextKey(map=m)", "01", "02"),
        differing("RunSocketFilter(program=p)", "1", "2", Blame.KERNEL),
    ):
        assert Kind.of(other) != Kind.of(by_map)


def test_no_more_scripts_are_tried_than_a_finding_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found by then is what is left."""
    model = mistaken("xor64_reg")
    script, result = first_difference(model)
    best = shrunk(SESSION, LANE, script, result, model)
    tried: list[Script] = []
    run = SESSION.executor.run
    monkeypatch.setattr(SESSION.executor, "run", lambda scripts: (tried.extend(scripts), run(scripts))[1])
    monkeypatch.setattr(judging, "MOST", 40)
    less = shrunk(SESSION, LANE, script, result, model)
    assert len(tried) <= 40 and best.after < less.after < less.before


def test_all_pieces_that_can_go_do() -> None:
    """Of forty constants only one is needed, wherever it is."""
    code = program([mov64_imm(R0, number) for number in range(40)], exit_())
    script = Script("s", "", (LoadProgram("program", ProgramType.SOCKET_FILTER, code),))

    def same(scripts: Sequence[Script]) -> list[bool]:
        return [any(one.imm == 23 for one in _code(script)) for script in scripts]

    assert len(_code(shrink(script, same))) == 1


def test_distances_are_those_of_what_is_left() -> None:
    skipped = (ld_imm64(R0, 7), mov64_imm(R0, 1))
    code = program(jeq_imm(R1, 0, "end"), skipped, "end", mov64_imm(R0, 2), ja("exit"), "exit", exit_())
    script = Script("s", "", (LoadProgram("program", ProgramType.SOCKET_FILTER, code),))
    places = instructions(script)
    assert len(places) == len(code.instructions) - 1  # both halves of the constant go together
    constant = next(place for place in places if len(place.instructions) == 2)
    less = without(script, [constant])
    assert less is not None
    assert _code(less)[0].off == 1
    assert size(less) == size(script) - 2


def test_no_program_ends_in_a_jump_behind_its_end() -> None:
    script = Script("s", "", (LoadProgram("p", ProgramType.SOCKET_FILTER, program(jeq_imm(R1, 0, 0), exit_())),))
    (last, _) = instructions(script)
    assert without(script, [last]) is None


def test_what_is_referred_to_stays() -> None:
    script = case(1, 3, WHERE.rules)
    (load,) = [at for at, one in enumerate(script.operations) if isinstance(one, LoadProgram)][:1]
    assert without(script, [operations(script)[load]]) is None


def collect_all(start: Barrier, folder: Path, found: Shrunk, lanes: Sequence[str]) -> None:
    """A process of its own runs this."""
    start.wait()
    for lane in lanes:
        files.collect(folder, replace(found, result=replace(found.result, lane=lane)), {})


def _code(script: Script) -> tuple[Instruction, ...]:
    return next(one.program.instructions for one in script.operations if isinstance(one, LoadProgram))
