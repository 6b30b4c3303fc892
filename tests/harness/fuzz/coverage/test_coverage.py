# SPDX-License-Identifier: MIT
"""What cases reach, and what they aim at."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from harness.core_scripts.parts import array
from harness.fuzz.aims import EACH, Aims, aims
from harness.fuzz.coverage import summing
from harness.fuzz.coverage.classes import IMMEDIATES, NUMBERS, class_of, drawn
from harness.fuzz.coverage.observing import Points
from harness.fuzz.generate import case
from harness.isa.assemble import (
    R0,
    R1,
    R2,
    Helper,
    add64_reg,
    call,
    exit_,
    jgt_imm,
    ld_imm64,
    mov64_imm,
    program,
)
from harness.lowering.executor import Observed
from harness.script.operations import LoadProgram, Program, ProgramType, Ref, RunSocketFilter, Script
from harness.script.outcome import Outcome
from tests.harness.fuzz.finding.models import WHERE

ERA = f"{WHERE.era}/{WHERE.arch}"


def reached(*scripts: Script) -> frozenset[str]:
    """What the model meets in scripts."""
    points = Points()
    model = points.model(WHERE)
    for script in scripts:
        model.run(script)
    return points.all()


def filtered(code: Program) -> Script:
    load = LoadProgram("program", ProgramType.SOCKET_FILTER, code)
    return Script("s", "", (load, RunSocketFilter(Ref("program"), bytes(8))))


def test_instructions_count_with_their_operands_and_results() -> None:
    code = program(
        ld_imm64(R1, 1 << 40),
        mov64_imm(R2, -1),
        add64_reg(R1, R2),
        jgt_imm(R1, 7, 1),
        mov64_imm(R0, 0),
        call(Helper.GET_SMP_PROCESSOR_ID),
        exit_(),
    )
    found = reached(filtered(code))
    assert "instruction: add64_reg 63 bits, -1 -> +" in found
    assert "instruction: jgt_imm 63 bits, 31 bits -> taken" in found
    assert "helper: get_smp_processor_id -> 0" in found


def test_refusals_count_by_their_rule() -> None:
    assert reached(filtered(program(exit_()))) == {"refusal: M-03"}


def test_operations_count_by_what_the_kernel_gave() -> None:
    points, script = Points(), Script("s", "", (array("a"), array("b")))
    points.heard(Observed(script, (Outcome(value=3), Outcome(errno="EPERM")), 0.0), [])
    assert points.all() == {"operation: CreateMap -> done", "operation: CreateMap -> EPERM"}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_are_drawn_are_of_their_class(name: str) -> None:
    random = Random(1)
    assert all(class_of(drawn(random, name)) == name for _ in range(50))
    if name in IMMEDIATES:
        drawn_ones = [drawn(random, name, immediate=True) for _ in range(50)]
        assert all(class_of(one) == name and (one + (1 << 31)) % (1 << 64) < 1 << 32 for one in drawn_ones)


def test_each_aim_has_its_turn_before_any_has_it_again() -> None:
    rules = WHERE.rules
    every = aims(rules.release)
    numbers = range(-(-len(every) // EACH))
    chosen = [aim for number in numbers for aim in Aims(7, number, rules).chosen]
    assert set(chosen) == set(every)
    assert len(chosen) - len(every) < EACH
    assert Aims(7, 3, rules).chosen == Aims(7, 3, rules).chosen != Aims(8, 3, rules).chosen


def test_cases_reach_more_by_their_aims(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = range(8)
    steered = reached(*(case(1, number, WHERE.rules) for number in cases))
    monkeypatch.setattr(Aims, "pieces", lambda *_: ())
    chance = reached(*(case(1, number, WHERE.rules) for number in cases))
    assert len(steered) > 1.1 * len(chance)


def test_what_was_never_met_is_named(tmp_path: Path) -> None:
    points = {ERA: {"instruction: add64_reg 1, 1 -> +", "instruction: add64_reg 1, -1 -> 0", "refusal: M-03"}}
    (said,) = summing.covered(points)
    assert (said.era, said.instructions.met, said.instructions.ways) == (ERA, 1, 2)
    assert "add64_imm" in said.instructions.missing and "add64_reg" not in said.instructions.missing
    assert str(said.refusals).startswith("1 of ")
    summing.write(tmp_path / summing.NAME, points)
    assert json.loads((tmp_path / summing.NAME).read_text()) == {ERA: sorted(points[ERA])}
