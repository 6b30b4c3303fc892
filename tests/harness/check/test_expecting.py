# SPDX-License-Identifier: MIT
"""Tables of what must be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.check import expecting
from harness.run.checked import Answer, Checked, Why
from hil.errors import UserError

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
    table = expecting.read(file, {"probe.o:f"})
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
    ],
)
def test_a_table_that_says_nothing_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "table.toml").write_text(text)
    with pytest.raises(UserError) as error:
        expecting.read(tmp_path / "table.toml", {"probe.o:f"})
    assert said in str(error.value)
