# SPDX-License-Identifier: MIT
"""The command that repeats one script."""

from __future__ import annotations

import shlex

import pytest

from harness.compare import Verdict
from harness.run.again import again, command_line, with_again
from tests.harness.reports import LANES, result


@pytest.mark.parametrize(
    ("command", "script", "rounds", "told"),
    [
        (("hil", "run"), "counting", 1, "hil run --lanes L --scripts counting"),
        (("/x/__main__.py", "conform", "--lanes", "*"), "ATTACH-12", 1, "hil conform --lanes L --clauses ATTACH-12"),
        (("hil", "run"), "odd*name", 1, "hil run --lanes L --scripts 'odd[*]name'"),
        (("hil", "run"), "counting", 20, "hil run --lanes L --scripts counting --repeat 20"),
        (("hil", "fuzz", "--cases", "9"), "case-777-2997", 1, "hil fuzz --lanes L --seed 777 --case 2997"),
        (("hil", "fuzz"), "script-5-35", 1, "hil fuzz --lanes L --of scripts --seed 5 --case 35"),
        (("hil", "exec", "--lanes", "*", "--", "./a b"), "a b", 1, "hil exec --lanes '*' -- './a b'"),
        (("hil", "replay", "f.json", "--lanes", "*", "--jobs=2"), "case-7-12", 1, "hil replay f.json --lanes L"),
        (("pytest",), "counting", 1, "hil run --lanes L --scripts counting"),
    ],
)
def test_it_chooses_exactly_the_script(command: tuple[str, ...], script: str, rounds: int, told: str) -> None:
    assert again(command, ["L"], script, rounds) == told


@pytest.mark.parametrize("before", [(), ("-v",), ("-vv",), ("-v", "--verbose")])
def test_what_is_said_before_the_subcommand_is_no_part_of_it(before: tuple[str, ...]) -> None:
    assert command_line(("hil", *before, "conform", "--lanes", "*")) == ("hil", "conform", "--lanes", "*")
    assert command_line(("hil", *before)) == ("hil",)


def test_lanes_are_one_word_and_both_engines_of_a_machine_one_pattern() -> None:
    assert shlex.split(again(("hil", "run"), LANES, "counting"))[3] == f"{LANES[0]},debian-12/arm64"


def test_a_result_that_is_not_as_predicted_has_its_own() -> None:
    diverged = with_again(result(LANES[0], "lookup", Verdict.DIVERGE), ("hil", "run"))
    assert diverged.again == f"hil run --lanes {LANES[0]} --scripts lookup"
    assert with_again(result(LANES[0], "lookup"), ("hil", "run")).again == ""
