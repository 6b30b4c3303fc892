# SPDX-License-Identifier: MIT
"""What real kernels say of every program in the verifier's tables; of 4.1 on x86_64, every word of its log."""

from __future__ import annotations

import pytest

from harness.fuzz.campaign.work import TOGETHER
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.pytest_plugin.guest import LaneGuest
from harness.script.outcome import Outcome, Withheld
from tests.harness.corpus.verifier import corpus
from tests.harness.guests import tell
from tests.harness.model.running import VERSION_CODES
from tests.harness.model.verifier.acceptances import ACCEPTANCES
from tests.harness.model.verifier.rejections import REJECTIONS

NAMELESS = {"hidden-by-32-bits", "J-02", "M-29", "M-34", "hidden-nonsense"}
"""Rows with programs whose log must not be asked for: it may show what lies behind a table of names."""


@pytest.mark.guest
def test_kernels_agree_with_the_verifiers_model(guest: LaneGuest) -> None:
    disagreed = tell(guest.judge(corpus(), together=TOGETHER))
    assert not disagreed, "\n".join(disagreed)


def test_on_4_1_everything_is_predicted_to_the_log() -> None:
    model = ModelExecutor(Environment("4.1", "x86_64", VERSION_CODES["4.1"]))
    expected = {row.errno for row in REJECTIONS} | {None}
    withheld = set()
    for script in corpus():
        *_, silent, logged = model.run(script)
        assert isinstance(silent, Outcome) and silent.errno in expected, script.name
        assert isinstance(logged, Outcome) and logged.log is not None, script.name
        assert logged.errno in (silent.errno, "ENOSPC")
        if isinstance(logged.log, Withheld):
            withheld.add(script.name.split()[0])
    assert withheld == NAMELESS


def test_the_corpus_has_every_program_of_the_tables() -> None:
    assert len(corpus()) == len(REJECTIONS) + len(ACCEPTANCES)
    assert len({script.name for script in corpus()}) == len(corpus())
