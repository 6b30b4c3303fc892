# SPDX-License-Identifier: MIT
"""What changed within a stable series: clauses and the model judge a kernel by its exact version, and leave open what
lies between two that were seen."""

from __future__ import annotations

import pytest

from harness.clauses import clauses
from harness.isa.assemble import DW, R0, R1, R2, R10, add64_imm, call, exit_, ld_map, mov64_imm, mov64_reg, program, st
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.release import point
from harness.script.clause import expect
from harness.script.expectation import Expectation
from harness.script.matching import admits
from harness.script.operations import GetProcessId, LoadProgram, ProgramType, Script
from harness.script.outcome import Outcome, Unpredicted
from hil.errors import UserError
from hil.kernels.catalogue import era_of
from hil.kernels.kernel import version_code
from tests.harness.model.scripts import MAP

STEP = GetProcessId("process")
REFUSED, ACCEPTED, OPEN = "EACCES", "success", "open"
ROWS = [
    *(
        (id, said, version)
        for id in ("ST-11", "MEM-11.stack")
        for said, versions in (
            (REFUSED, ("5.10.218", "5.10.255", "6.1.170", "6.1.190")),
            (OPEN, ("6.1.191", "6.6.3")),
            (ACCEPTED, ("6.1.192", "6.6.87", "6.12.43", "6.16.3", "7.2.13")),
        )
        for version in versions
    ),
    *(
        ("ST-11.part", said, version)
        for said, versions in (
            (REFUSED, ("5.10.218",)),
            (OPEN, ("5.10.219", "5.10.222")),
            (ACCEPTED, ("5.10.223", "6.1.170", "6.12.43", "6.18.15")),
        )
        for version in versions
    ),
]


def said_of(outcome: Outcome | Unpredicted | None) -> str:
    if outcome is None or isinstance(outcome, Unpredicted):
        return OPEN
    return outcome.errno if isinstance(outcome.errno, str) else ACCEPTED


@pytest.mark.parametrize(("id", "said", "version"), ROWS)
def test_reads_of_stack_that_nobody_wrote(id: str, said: str, version: str) -> None:
    name, code = era_of(version), version_code(version)
    clause = next(one for one in clauses("x86_64", name) if one.id == id)
    script = clause.script(name, code)
    at = next(index for index, one in enumerate(script.operations) if isinstance(one, LoadProgram))
    assert said_of(script.expected[at]) == said
    assert said_of(ModelExecutor(Environment(name, "x86_64", code)).run(script)[at]) == said


@pytest.mark.parametrize(
    ("version", "above", "below"),
    [
        ("5.10.218", REFUSED, REFUSED),
        ("5.10.220", OPEN, REFUSED),
        ("5.10.255", ACCEPTED, REFUSED),
        ("6.1.170", ACCEPTED, REFUSED),
        ("6.1.191", ACCEPTED, OPEN),
        ("6.1.192", ACCEPTED, ACCEPTED),
        ("6.12.43", ACCEPTED, ACCEPTED),
        ("7.2.13", ACCEPTED, ACCEPTED),
    ],
)
def test_helpers_read_of_the_stack_what_loads_do(version: str, above: str, below: str) -> None:
    """A key that nobody wrote, above a slot that was written, and below all of them."""
    key = (mov64_reg(R2, R10), add64_imm(R2, -16), ld_map(R1, "map"), call(1), mov64_imm(R0, 0), exit_())
    model = ModelExecutor(Environment(era_of(version), "x86_64", version_code(version)))
    for written, said in ((-24, above), (-8, below)):
        load = LoadProgram("program", ProgramType.SOCKET_FILTER, program(st(DW, R10, written, 0), *key))
        assert said_of(model.run(Script("key", "", (MAP, load)))[1]) == said


@pytest.mark.parametrize("version", ["6.1.170", "6.1.175", "6.1.176", "6.12.43", "6.12.91", "6.12.94", "7.2.13"])
def test_the_model_agrees_with_the_clause_on_bytes_from_0x80(version: str) -> None:
    name, code = era_of(version), version_code(version)
    script = next(one for one in clauses("x86_64", name) if one.id == "TP-02.eight-bit").script(name, code)
    said = ModelExecutor(Environment(name, "x86_64", code)).run(script)
    pairs = [(one, other) for one, other in zip(script.expected, said, strict=True) if one is not None]
    assert all(not isinstance(other, Outcome) or admits(one, other, {}) for one, other in pairs)
    assert any(isinstance(one, Unpredicted) for one in said) == (version in ("6.1.175", "6.12.91"))


def test_a_stable_release_speaks_for_its_series_alone() -> None:
    step = expect(STEP, 1, {"5.10": 2, "6.1": 3, "6.1.9": None, "6.1.11": 4, "6.12": 5})
    asked = [
        ("5.10", None),
        ("6.1", 8),
        ("6.1", 9),
        ("6.1", 10),
        ("6.1", 11),
        ("6.1", None),
        ("6.12", 3),
        ("7.2", None),
    ]
    found = [step.expected(era, sublevel and version_code(f"{era}.{sublevel}")) for era, sublevel in asked]
    assert found == [one and Expectation(value=one) for one in (2, 3, None, None, 4, 4, 5, 5)]
    assert step.expected("6.6") == Expectation(value=3), "which was checked, and another series"


def test_an_era_that_nobody_checked_agrees_with_all_releases_around_it() -> None:
    assert expect(STEP, 1, {"6.12": 2, "6.12.9": 3, "7.2": 3}).expected("6.18") is None
    assert expect(STEP, 1, {"6.12": 3, "6.12.9": 3, "7.2": 3}).expected("6.18") == Expectation(value=3)


@pytest.mark.parametrize("name", ["6", "6.1.x", "6.x.1", "6.1.2.3"])
def test_what_is_no_stable_release_is_told(name: str) -> None:
    with pytest.raises(UserError, match="is no release of Linux"):
        point(name)
