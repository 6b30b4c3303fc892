# SPDX-License-Identifier: MIT
"""Tables of what must be."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.check import expecting, explaining
from harness.check.kinds import KINDS, OF_KERNELS
from harness.lane import all_lanes
from harness.run.checked import Answer, Checked, Why
from hil.errors import UserError

LANES = all_lanes([(f"debian-{number}", arch) for number in (11, 12) for arch in ("x86_64", "arm64")])
FIRES = Checked(
    "debian-12/x86_64/jit", "probe.o", "f", "kprobe/f", "probe.o:f", Answer.YES, Answer.YES, Answer.YES, hits=3
)
REFUSED = replace(
    FIRES,
    lane="debian-11/x86_64/jit",
    loads=Answer.NO,
    attaches=Answer.UNTRIED,
    whys=(Why("load", "it is refused", kind="helper"),),
)


def written(tmp_path: Path, *checked: Checked) -> Path:
    expecting.write(tmp_path / "table.toml", checked)
    return tmp_path / "table.toml"


def test_what_was_written_is_met(tmp_path: Path) -> None:
    both = (FIRES, replace(FIRES, lane="debian-12/x86_64/interp"), REFUSED)
    file = written(tmp_path, *both)
    assert '"debian-12/x86_64" = "fires"' in file.read_text()
    table = expecting.read(file, {"probe.o:f"}, LANES)
    told = [expecting.expected(table, one) for one in both]
    assert [one.expected for one in told] == ["fires", "fires", "refused: helper"]
    assert all(one.fine for one in told)
    assert not REFUSED.fine


@pytest.mark.parametrize(
    ("said", "one", "fine"),
    [
        ("attaches", FIRES, True),
        ("fires", replace(FIRES, fires=Answer.NO), False),
        ("refused", REFUSED, True),
        ("refused: symbol", REFUSED, False),
        ("refused", FIRES, False),
        ("not attached", FIRES, False),
        ("fires", replace(FIRES, lanes=Answer.NO), False),
    ],
)
def test_what_is_seen_is_held_against_it(said: str, one: Checked, fine: bool) -> None:
    table = {"probe.o:f": {"debian-*": said}}
    assert expecting.expected(table, one).fine is fine


def test_the_first_pattern_counts_and_other_lanes_are_as_without_a_table() -> None:
    table = {"probe.o:f": {"debian-12/*/jit": "attaches", "debian-12": "refused"}}
    assert expecting.expected(table, FIRES).expected == "attaches"
    assert expecting.expected(table, REFUSED) == REFUSED


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not toml", "--write-expect"),
        ('["probe.o:g"]\n"*" = "fires"', "did you mean 'probe.o:f'"),
        ('["probe.o:f"]\n"*" = "works"', "none of: fires, attaches"),
        ('["probe.o:f"]\n"*" = 1', "none of"),
        ('"probe.o:f" = "fires"', "no lines LANES = WORD"),
        ("", "demands nothing"),
        ('["probe.o:f"]', "no lines LANES = WORD"),
        ('["probe.o:f"]\n"debain-12" = "fires"', "unknown lane 'debain-12'"),
        ('["probe.o:f"]\n"debain-12@6.1.170" = "fires"', "unknown lane 'debain-12'"),
        ('["probe.o:f"]\n"" = "fires"', "unknown lane"),
        ('["probe.o:f"]\n"debian-12/x86_64/jit/fast" = "fires"', "more than three parts"),
        ('["probe.o:f"]\n"*" = "refused: helpr"', "did you mean 'helper'"),
        ('["probe.o:f"]\n"*" = "refused: "', "no kind of reason ''"),
        ('["probe.o:f"]\n"*" = "fires: helper"', "'fires' has no reason"),
    ],
)
def test_a_table_that_says_nothing_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "table.toml").write_text(text)
    with pytest.raises(UserError) as error:
        expecting.read(tmp_path / "table.toml", {"probe.o:f"}, LANES)
    assert said in str(error.value)


def test_a_table_may_be_about_versions_that_come_and_go(tmp_path: Path) -> None:
    (tmp_path / "table.toml").write_text('["probe.o:f"]\n"debian-12@6.1.170/x86_64" = "fires"\n"*/*/jit" = "loads"\n')
    assert expecting.read(tmp_path / "table.toml", {"probe.o:f"}, LANES)


def test_every_kind_of_reason_can_be_expected_and_is_described() -> None:
    made = set()
    for node in ast.walk(ast.parse(inspect.getsource(explaining))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Why", "replace"):
            given = [*node.args[2:3], *(one.value for one in node.keywords if one.arg == "kind")]
            words = [inner for one in given for inner in ast.walk(one)]
            made |= {one.value for one in words if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    assert made - {"not-attached", "no-place"} == OF_KERNELS
    page = (Path(__file__).parents[3] / "docs" / "check.md").read_text().partition("its `kind`")[2]
    told = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))))
    assert told >= OF_KERNELS
    assert told & KINDS >= OF_KERNELS
