# SPDX-License-Identifier: MIT
"""A part of the campaign for every test run: kinds that do not take minutes, with a seed of its own."""

from __future__ import annotations

import os

import pytest
from rich.console import Console

from hil import cache
from tests.chaos import __main__ as command
from tests.chaos.campaign import carry_out
from tests.chaos.home import place
from tests.chaos.kinds import every

pytestmark = pytest.mark.guest

TRIALS = 30
SEED = 9


def test_faults_of_all_kinds_end_as_they_should() -> None:
    kinds = [kind for kind in every() if not kind.patient]
    chosen = {number: kinds[number % len(kinds)] for number in range(TRIALS)}
    folder = place()
    console = Console(markup=False)
    judged = carry_out(chosen, SEED, os.cpu_count() or 1, folder, lambda one: command.show(console, one))
    wrong = [f"{one.kind}: {line}" for one in judged for line in one.wrong]
    assert any(not one.skipped for one in judged), "nothing was injected"
    assert not wrong, f"{wrong}; their homes are in {folder}"
    cache.remove(folder)
