# SPDX-License-Identifier: MIT
"""Mistakes that are planted in the model are found; the right model stands for a kernel. `make mutants` boots one."""

from __future__ import annotations

import pytest

from tests.harness.fuzz.finding.models import LANE, SESSION, WHERE
from tests.mutants.planted import MUTANTS, Mutant
from tests.mutants.searching import FEW, Search, seen_by

CASES = 600


@pytest.fixture(scope="module")
def search() -> Search:
    return Search(SESSION, LANE, WHERE, seen_by(SESSION.executor, WHERE, 1, CASES))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_mistake_is_found_and_shrinks_to_a_few_instructions(search: Search, mutant: Mutant) -> None:
    found = search.first(mutant)
    assert found, f"not in {CASES} cases"
    smaller = search.smaller(mutant, found)
    assert smaller.after <= FEW and smaller.c, smaller.why_no_c
    assert mutant.wrong.keys() & set(smaller.opcodes)


def test_the_right_model_has_none(search: Search) -> None:
    nothing = Mutant("none", {name: lambda right: right for mutant in MUTANTS for name in mutant.wrong})
    assert search.first(nothing) is None
