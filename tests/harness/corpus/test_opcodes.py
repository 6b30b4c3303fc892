# SPDX-License-Identifier: MIT
"""What real kernels make of opcodes newer than 4.1's."""

from __future__ import annotations

import pytest

from harness.compare import Verdict
from harness.fuzz.campaign.work import TOGETHER
from harness.model.executor import ModelExecutor
from harness.pytest_plugin.guest import LaneGuest
from harness.script.outcome import Outcome
from tests.harness.corpus.opcodes import corpus
from tests.harness.corpus.verifier import script
from tests.harness.guests import tell
from tests.harness.model.running import environment
from tests.harness.model.verifier.newer import PROGRAMS


@pytest.mark.guest
def test_kernels_agree_with_the_model(guest: LaneGuest) -> None:
    scripts = corpus(guest.model.environment.rules.release)
    if not scripts:
        pytest.skip("4.1 has none of them")
    results = guest.judge(scripts, together=TOGETHER)
    disagreed = tell(results)
    assert not disagreed, "\n".join(disagreed)
    assert all(result.verdict is Verdict.AGREE and not result.unpredicted for result in results)


@pytest.mark.guest
def test_verifiers_agree_with_the_model(guest: LaneGuest) -> None:
    """Also those of releases that have no such opcode."""
    scripts = [script(row.name, row.instructions, row.kind, gpl=True) for row in PROGRAMS]
    disagreed = tell(guest.judge(scripts, together=TOGETHER))
    assert not disagreed, "\n".join(disagreed)


def test_everything_is_predicted() -> None:
    """Of the newest era, which has every opcode; a program of each, as the others are like it."""
    model = ModelExecutor(environment("7.2"))
    for one in (each for each in corpus((7, 2)) if each.name.endswith(" 0")):
        for said in model.run(one):
            assert isinstance(said, Outcome) and said.errno is None, (one.name, said)
