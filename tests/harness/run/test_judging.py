# SPDX-License-Identifier: MIT
"""What becomes of a script that the guest did not finish."""

from __future__ import annotations

import pytest

from harness.compare import Verdict
from harness.core_scripts.parts import kprobe_program, prctl
from harness.isa.assemble import Helper, call, exit_, program
from harness.lane import Engine, Lane
from harness.lowering.executor import Missed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.run.judging import judge, verdict
from harness.script.operations import Close, Exit, Fork, Script
from harness.script.outcome import Outcome, Prediction, Unpredicted

LANE = Lane("linux-4.1", "x86_64", Engine.INTERP)
SCRIPT = Script("script", "", (Close(-1), Close(-1), Close(-1)))
FINE, OPEN, FAULT = Outcome(errno="EBADF"), Unpredicted("something"), Unpredicted("a fault", deadly=True)


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [((FAULT, FINE), Verdict.KNOWN), ((FINE, FAULT), Verdict.KNOWN), ((FINE, OPEN), Verdict.LOST), ((), Verdict.LOST)],
)
def test_a_loss_is_known_where_the_model_knows_a_fault_before_it(
    predictions: tuple[Prediction, ...], expected: Verdict
) -> None:
    result = verdict(LANE, Missed(SCRIPT, 2, "the guest panicked"), predictions)
    assert result.verdict is expected
    assert result.reason == ("a fault; " if expected is Verdict.KNOWN else "") + "the guest panicked"


def test_what_a_script_was_lost_at_is_not_asked_of_the_model() -> None:
    """It may be what never ends."""
    endless = Script("endless", "", (Close(-1), prctl(times=1 << 31)))
    model = ModelExecutor(Environment("6.1", "arm64", 0))
    result = judge(LANE, Missed(endless, 1, "its process was killed"), model)
    assert result.verdict is Verdict.LOST
    assert judge(LANE, Missed(endless, None, "the guest panicked"), model).verdict is Verdict.LOST


def test_a_script_without_triggers_is_predicted_up_to_its_first_child() -> None:
    """A machine that is lost at once says nothing of the operation, and children reach probes, too."""
    operations = (kprobe_program("p", program(call(Helper.GET_CURRENT_TASK), exit_())), Fork(), Exit())
    model = ModelExecutor(Environment("6.12", "arm64", 0x60C76))
    result = judge(LANE, Missed(Script("s", "", operations), None, "the guest panicked"), model)
    assert result.verdict is Verdict.KNOWN
    assert "helper 35" in result.reason
