# SPDX-License-Identifier: MIT
"""Generated programs, and generated scripts, on real kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from harness.compare import Verdict
from harness.fuzz.campaign.work import TOGETHER
from harness.fuzz.finding.judging import shrunk
from harness.fuzz.generate import cases
from harness.fuzz.known import known
from harness.fuzz.scripts import scripts
from harness.isa.instruction import Instruction
from harness.lowering.executor import Missed, Observed
from harness.model.executor import ModelExecutor
from harness.model.instructions.table import instruction_table
from harness.model.state import State
from harness.pytest_plugin.guest import LaneGuest
from harness.run.judging import judge
from harness.run.needs import unmet
from harness.script.operations import Script
from tests.harness.guests import tell

SEED, COUNT = 20150621, 300
MOST_LEFT = 24
"""Instructions of a program that was made smaller."""
SCRIPTS = 200


@pytest.mark.guest
def test_kernels_agree_with_the_model(guest: LaneGuest) -> None:
    print(f"seed {SEED}")
    lane = guest.model.environment
    made = cases(SEED, COUNT, lane.rules)
    scripts = [script for script in made if not unmet(script.needs, lane)]
    assert len(scripts) > COUNT / 2
    disagreed = tell(guest.judge(scripts, tuple(known([guest.lane], scripts)), TOGETHER))
    assert not disagreed, "\n".join(disagreed)


@pytest.mark.guest
def test_what_the_model_is_certain_of_holds_behind_what_it_is_not(guest: LaneGuest) -> None:
    """Scripts of operations of every type; `hil fuzz --of scripts` goes on where these end."""
    print(f"seed {SEED}")
    lane = guest.model.environment
    drawn = list(scripts(SEED, SCRIPTS, lane.rules))
    made = [script for script in drawn if not unmet(script.needs, lane)]
    if not made:
        pytest.skip(f"{guest.lane}: {unmet(drawn[0].needs, lane)}")
    disagreed = tell(guest.judge(made, tuple(known([guest.lane], made)), TOGETHER))
    assert not disagreed, "\n".join(disagreed)


def by_and_by(guest: LaneGuest, scripts: Sequence[Script]) -> Iterator[Observed | Missed]:
    """What the guest makes of scripts, of so many at a time that whoever looks for one soon has it."""
    for start in range(0, len(scripts), TOGETHER):
        yield from list(guest.executor.run(scripts[start : start + TOGETHER], together=TOGETHER))


@pytest.mark.guest
def test_a_finding_is_made_smaller_on_the_guest(guest: LaneGuest) -> None:
    """The mistake is planted in the model, so that every kernel has it."""
    lane = guest.model.environment

    def wrong(state: State, instruction: Instruction) -> None:
        """Leaves the register as it is."""

    model = ModelExecutor(lane, instructions={**instruction_table(lane.rules), "xor64_reg": wrong})
    scripts = [one for one in cases(SEED, COUNT, lane.rules) if not unmet(one.needs, lane)]
    able = [one for one in scripts if not list(known([guest.lane], [one]))]
    judged = ((one.script, judge(guest.lane, one, model)) for one in by_and_by(guest, able))
    script, result = next((one, said) for one, said in judged if said.verdict is Verdict.DIVERGE)
    found = shrunk(guest.session, guest.lane, script, result, model)
    assert found.after <= MOST_LEFT < found.before
    assert "xor64_reg" in found.opcodes
