# SPDX-License-Identifier: MIT
"""What real faults took turns up in generated programs, and verifiers take it."""

from __future__ import annotations

import re
from functools import cache

import pytest

from harness.clauses import clauses
from harness.fuzz.following import Following
from harness.fuzz.functions import MOST_RUNS
from harness.fuzz.generate import case
from harness.fuzz.known import code, known
from harness.isa.assemble import R1, R2, arsh64_imm, jsgt_imm, mov64_reg
from harness.isa.instruction import Instruction
from harness.kernel_bugs.bugs import bugs
from harness.lane import Engine, Lane
from harness.model.eras import era
from harness.script.operations import LoadProgram, Script

COUNT = 400


@cache
def running(name: str, arch: str = "x86_64") -> tuple[tuple[Script, str], ...]:
    """Cases that are to run, each with its text."""
    made = (case(3, number, era(name, arch)) for number in range(COUNT))
    return tuple((script, code(script)) for script in made if not isinstance(script.operations[-1], LoadProgram))


def share(pattern: str, name: str = "6.12", arch: str = "x86_64") -> float:
    """Of the programs that are to run, so many have such code."""
    texts = [text for _, text in running(name, arch)]
    return sum(bool(re.search(pattern, text)) for text in texts) / len(texts)


@pytest.mark.parametrize(
    ("pattern", "name", "least"),
    [
        (r"\*\(u8 \*\)\(r10 -\d+\) = r10\n.*\*\(u8 \*\)\(r10 -\d+\)\n.*&= 7", "4.1", 0.05),
        (r"\*\(u(16|32|64) \*\)\(r10 -\d+\) = r10", "4.1", 0.05),
        (r"\*\(u8 \*\)\(r\d+ \+64\) = r10", "6.12", 0.04),
        (r"\) r(\d+) -= r\d+\n[^\n]*if w\1 [!=]= 0x0 ", "6.12", 0.04),
        (r"\) r(\d+) -= r\d+\n[^\n]*if r\1 & ", "4.1", 0.02),
        (r"\) r(\d+) \+= r\1\n", "6.12", 0.05),
        (r"\) r(\d+) s>>= 63\n[^\n]*\) r\1 \|= ", "6.12", 0.02),
        (r"0x[0-9a-f]{1,8}80000000 ll\n[^\n]*w\d+ s[/%]= ", "6.12", 0.04),
        (r"0x8000000000000000 ll\n(.*r\d+ = -1\n)?[^\n]*r\d+ s[/%]= ", "6.12", 0.04),
        (r"call 35\n[^\n]*r0 >>= 63", "6.12", 0.05),
        (r"(?s)call pc[+].*\) call 12\n", "5.10", 0.04),
        (r"(?s)call pc[+].*\) call pc[+].*\) call 12\n", "6.12", 0.04),
        (r"(?s)call pc[+].*skb\[", "6.12", 0.02),
    ],
)
def test_what_faults_took_turns_up(pattern: str, name: str, least: float) -> None:
    assert least < share(pattern, name) < 0.6


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 5, 7, 8, 9])
def test_packets_are_indexed_by_every_register_that_holds_a_number(index: int) -> None:
    assert share(rf"skb\[r{index} \+", "4.1", "arm64") > 0.004


def test_no_case_calls_what_the_interpreter_may_die_of() -> None:
    assert share("call 35", "6.12", "arm64") == 0 < share("call 35", "6.1", "arm64")


def test_a_seed_and_a_number_make_a_case() -> None:
    for script, text in running("6.12")[:100]:
        again = case(3, int(script.name.split("-")[-1]), era("6.12", "x86_64"))
        assert again == script and code(again) == text


def test_straight_code_is_followed_as_the_model_runs_it() -> None:
    follow = Following(era("6.12", "x86_64"))
    follow[R1] = 1 << 63
    for instruction in (mov64_reg(R2, R1), arsh64_imm(R2, 63)):
        follow.compute(instruction)
    assert (follow[R1], follow[R2]) == (1 << 63, (1 << 64) - 1)
    jump = jsgt_imm(R2, -2, 5)
    assert isinstance(jump, Instruction) and follow.jumps(jump)
    assert not follow.jumps(Instruction(jump.code, R1, imm=-2))


@pytest.mark.parametrize(("name", "arch", "some"), [("5.10", "arm64", False), ("6.1", "arm64", True)])
def test_tail_calls_of_functions_are_made_where_an_engine_takes_them(name: str, arch: str, some: bool) -> None:
    assert (share(r"(?s)call pc[+].*\) call 12\n", name, arch) > 0) is some


def test_functions_that_end_early_have_types_and_a_limit() -> None:
    """So that the kernel takes them, and a kernel with a wrong limit of tail calls comes to an end."""
    for script, text in running("6.12"):
        loads = [one for one in script.operations if isinstance(one, LoadProgram)]
        if re.search(r"(?s)call pc[+].*\) call 12\n", text):
            assert loads[0].program.functions[0] == (0, "main")
            assert re.search(rf"if r1 >= {MOST_RUNS:#x} goto", text)


def test_only_cases_with_the_code_are_excused() -> None:
    """Each row is about some cases of its lanes, few of all."""
    scripts = [script for script, _ in running("6.1")]
    lane = Lane("debian-12", "arm64", Engine.INTERP)
    excused = list(dict.fromkeys(one.script for one in known([lane], scripts)))
    compared = re.compile(r"\) r(\d+) -= r\d+\n.*if w\1 [!=]= 0x0")
    with_code = [script.name for script, text in running("6.1") if compared.search(text)]
    assert excused == with_code and 0 < len(excused) < len(scripts) / 4
    assert not list(known([Lane("debian-13", "arm64", Engine.INTERP)], scripts))


def test_what_a_clause_shows_of_lost_zero_extension_is_excused_in_cases_that_do_it() -> None:
    (bug,) = (one for one in bugs() if one.id == "zero-extension-lost")
    shown = [one.script("7.2") for one in clauses("riscv64", "7.2") if one.id.startswith("RUN-03.branch")]
    assert all(re.search(bug.code, code(script)) for script in (*shown, bug.script())) and len(shown) == 2
    assert 0 < share(bug.code, "7.2", "riscv64") < 1 / 3


def test_divisions_with_another_off_are_among_the_mutants() -> None:
    """They are to be refused: a negative one once was not."""
    texts = (code(case(3, number, era("6.12", "x86_64"))) for number in range(COUNT))
    assert sum(bool(re.search(r"[/%]= .*\{off=-\d+\}", text)) for text in texts) > 1


def test_a_context_is_an_index_of_packets_but_seldom() -> None:
    assert 0 < share(r"skb\[r6 \+", "4.1", "arm64") < 0.03
