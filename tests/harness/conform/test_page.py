# SPDX-License-Identifier: MIT
"""docs/clauses.md is what the clauses are."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.clauses import clauses
from harness.clauses.sections import sections
from harness.conform.commands import conform
from harness.conform.page import markdown
from harness.model.eras import ERAS, every_era
from hil.errors import UserError

PAGE = Path(__file__).resolve().parents[3] / "docs" / "clauses.md"


def test_the_page_is_what_the_clauses_are() -> None:
    told = "write it again: make pages"
    assert PAGE.read_text().splitlines() == markdown().splitlines(), told


def test_every_clause_has_a_row_in_its_section_and_every_source_a_link() -> None:
    lines = markdown().splitlines()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == [
        section.title for section in sections().values()
    ]
    named = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert named == {clause.id for rules in every_era() for clause in clauses(rules.arch, rules.name)}
    labels = {line.split("]")[0][1:] for line in lines if line.startswith("[")}
    cited = {part.split("]")[0] for line in lines if line.startswith("| `") for part in line.split("][")[1:]}
    assert cited == labels


def test_a_row_says_for_which_eras_and_architecture_it_holds() -> None:
    rows = {line.split("`")[1]: line.split(" | ")[2] for line in markdown().splitlines() if line.startswith("| `")}
    assert rows["MAP-02.key"] == "all"
    assert rows["MAP-10"] == "4.1"
    assert rows["ATTACH-12.limit"] == "since 5.10"
    assert rows["REG-01.di"] == "all, x86_64"


def test_the_command_prints_the_page() -> None:
    done = CliRunner().invoke(conform, ["--list", "--markdown"])
    assert done.exit_code == 0 and done.output == markdown()
    failed = CliRunner().invoke(conform, ["--markdown"])
    assert isinstance(failed.exception, UserError) and failed.exception.remedy == "add --list"


def test_bars_and_stars_of_a_sentence_stay_in_their_cell() -> None:
    (row,) = (line for line in markdown().splitlines() if line.startswith("| `ISA-41.w-40`"))
    assert r"lock \*(u32 \*)(r10 -16) \|= r2" in row


@pytest.mark.parametrize("era", ERAS)
def test_no_release_is_missing_from_the_opening(era: str) -> None:
    assert era in markdown().split("##")[0]
