# SPDX-License-Identifier: MIT
"""Every refusal carries the rule it was made by, every rule is one, and there is a program for each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from harness.clauses import clauses
from harness.isa.assemble import R0, R1, exit_, mov64_imm, program
from harness.isa.instruction import Instruction
from harness.model.environment import Environment
from harness.model.eras import ERAS
from harness.model.interface.kernel import Kernel
from harness.model.interface.verification import MapReferences, judge
from harness.model.interpreter import Interpreter
from harness.model.unpredictable import Unpredictable
from harness.model.upstream import LATEST
from harness.model.verifier import LogRequest, Verdict
from harness.model.verifier.rules import SCANNED, WALKED, Rule
from harness.programs.maps import NoMap, create
from harness.release import release
from harness.script.operations import CreateMap, LoadProgram, ProgramType, Script
from tests.harness.corpus import verifier
from tests.harness.model.verifier.lanes import check
from tests.harness.model.verifier.rejections import REJECTIONS

RETURN = (mov64_imm(R0, 0), exit_())
PASSED = Script(
    "an argument that nobody passed",
    "",
    (LoadProgram("p", ProgramType.KPROBE, program(Instruction(0x79, R1, 11, 8), *RETURN)),),
)


def environment(name: str, arch: str = "x86_64") -> Environment:
    return Environment(name, arch, LATEST[release(name)])


def refusals(where: Environment, scripts: tuple[Script, ...]) -> Iterator[Verdict]:
    """What the verifier refuses of the programs in the scripts."""
    for script in scripts:
        kernel = Kernel(where, Interpreter(where.rules))
        for operation in script.operations:
            try:
                if isinstance(operation, CreateMap):
                    kernel.names.open(operation.name, create(where, operation))
                elif isinstance(operation, LoadProgram):
                    verdict = judge(where, operation, MapReferences(kernel.names, operation.program))
                    if verdict.errno is not None:
                        yield verdict
            except (NoMap, Unpredictable):
                continue


@cache
def stated(name: str, arch: str = "x86_64") -> frozenset[Rule | None]:
    """The rules by which programs of the clauses are refused."""
    scripts = tuple(clause.script(name) for clause in clauses(arch, name))
    return frozenset(verdict.rule for verdict in refusals(environment(name, arch), scripts))


@pytest.mark.parametrize("name", ERAS)
def test_every_refusal_has_a_rule(name: str) -> None:
    rules = {verdict.rule for verdict in refusals(environment(name), verifier.corpus())} | stated(name)
    assert len(rules) > 20
    assert None not in rules
    assert Rule.OPEN not in rules, "it stands for what is not predicted"


@pytest.mark.parametrize("rejection", REJECTIONS, ids=[f"{row.row}-{number}" for number, row in enumerate(REJECTIONS)])
def test_a_refusal_of_4_1_has_the_rule_of_its_message(rejection) -> None:
    rule = check(rejection.instructions, rejection.kind, gpl=rejection.gpl).rule
    assert rule is not None and rule.value.split(".")[0] == rejection.row


def test_there_is_a_program_for_every_rule() -> None:
    met = {check(row.instructions, row.kind, gpl=row.gpl).rule for row in REJECTIONS}
    met.add(check(()).rule)
    met.add(check(program(*RETURN).instructions, log=LogRequest(level=1)).rule)
    assert met >= {rule for rule in Rule if rule.value.startswith("M-")}
    met |= stated("6.1") | stated("7.2", "arm64")
    met |= {verdict.rule for verdict in refusals(environment("7.2"), (PASSED,))}
    assert set(Rule) - met == {Rule.OPEN}


def test_an_accepted_program_has_no_rule() -> None:
    assert check(program(*RETURN).instructions).rule is None


def test_no_rule_belongs_to_two_passes() -> None:
    assert not SCANNED & WALKED
