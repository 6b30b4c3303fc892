# SPDX-License-Identifier: MIT
"""No certain prediction for a release depends on a change of which nobody has looked up whether it has it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from harness.clauses import clauses
from harness.model.environment import Environment
from harness.model.eras import ERAS, doubtful, era
from harness.model.executor import ModelExecutor
from harness.model.unchecked import possible
from harness.release import neighbours, release
from harness.script.clause import WORKS, Clause, expect
from harness.script.operations import RawBpf, Script
from harness.script.outcome import Outcome, Prediction, Unpredicted

BETWEEN = ("4.9", "5.15", "7.0")
"""A release between each two neighbours of `ERAS` of which something was never looked up."""
SHARE = 80
"""One clause of so many."""


def lane(name: str, arch: str = "x86_64") -> Environment:
    return Environment(name, arch, era(name, arch).latest, cpus=2)


def predict(where: Environment, script: Script) -> list[Prediction]:
    return ModelExecutor(where).run(script)


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize("name", BETWEEN)
def test_what_is_certain_holds_whichever_changes_there_are(name: str, arch: str) -> None:
    draw = random.Random(f"{name} {arch}")
    where, every = lane(name, arch), doubtful(name, arch)
    model, certain = ModelExecutor(where), 0
    chosen = draw.sample(clauses(arch, name), len(clauses(arch, name)) // SHARE)
    for script in (clause.script(name) for clause in chosen):
        said = model.run(script)
        certain += sum(isinstance(one, Outcome) for one in said)
        for _ in range(3):
            some = frozenset(draw.sample(every, draw.randint(1, len(every))))
            for one, other in zip(said, predict(replace(where, supposed=some), script), strict=True):
                assert isinstance(one, Unpredicted) or one == other, (script.name, {seen.sentence for seen in some})
    assert certain > 0


@pytest.mark.parametrize(
    ("name", "neighbour", "id", "what"),
    [
        ("4.9", "5.10", "RUN-05.div-zero", "between 4.1 and 5.10, 4.9 was not checked: Dividing by a register"),
        ("5.15", "6.1", "MAP-03", "between 5.10 and 6.1, 5.15 was not checked: Key and value of a hash map share"),
        ("7.0", "7.2", "TAIL-47.interp", "between 6.12 and 7.2, 7.0 was not checked: The interpreter, too, looks"),
    ],
)
def test_what_a_change_makes_differ_is_open_with_a_reason_that_names_it(
    name: str, neighbour: str, id: str, what: str
) -> None:
    script = next(clause for clause in clauses("x86_64", neighbour) if clause.id == id).script(neighbour)
    opened = {one.reason for one in predict(lane(name), script) if isinstance(one, Unpredicted)}
    assert any(reason.startswith(f"changed {what}") for reason in opened), opened
    assert not any(isinstance(one, Unpredicted) for one in predict(lane(neighbour), script))


@pytest.mark.parametrize("name", ERAS)
def test_a_release_that_was_checked_is_one_kernel(name: str) -> None:
    assert [kernel.rules for kernel in possible(lane(name))] == [lane(name).rules]
    assert neighbours(release(name)) == (release(name),)


def test_a_release_in_a_window_may_be_several_kernels() -> None:
    count = len(doubtful("5.15", "x86_64"))
    kernels = possible(lane("5.15"))
    assert len(kernels) == 2 * count + 2
    assert len({kernel.rules for kernel in kernels}) == len(kernels), "each change makes a difference"


def test_clauses_say_of_such_a_release_what_they_say_of_both_its_neighbours() -> None:
    step = expect(RawBpf(0), 0, {"5.10": "EINVAL", "6.1": "E2BIG"})
    assert [step.expected(name) for name in ("4.1", "5.10", "6.1")] == [
        expect(RawBpf(0), said).expected("4.1") for said in (0, "EINVAL", "E2BIG")
    ]
    assert step.expected("5.15") is None and step.expected("4.9") is None
    assert step.expected("6.3") == step.expected("6.1")
    clause = Clause("X-1", "", (expect(RawBpf(0), WORKS),), since="5.10", until="6.1")
    assert [clause.holds(name) for name in ("4.1", "4.9", "5.10", "5.15", "6.1", "6.3")] == [
        False, False, True, True, True, False
    ]  # fmt: skip
