"""What becomes of a script that the guest did not finish."""

from __future__ import annotations

import pytest

from harness.compare import Verdict
from harness.lane import Engine, Lane
from harness.lowering.executor import Missed
from harness.run.judging import verdict
from harness.script.operations import Close, Script
from harness.script.outcome import Outcome, Prediction, Unpredicted

LANE = Lane("linux-4.1", "x86_64", Engine.INTERP)
SCRIPT = Script("script", "", (Close(-1), Close(-1), Close(-1)))
FINE, OPEN, FAULT = Outcome(errno="EBADF"), Unpredicted("something"), Unpredicted("a fault", deadly=True)


@pytest.mark.parametrize(
    ("predictions", "at", "expected"),
    [
        ((FAULT, FINE, FINE), 1, Verdict.KNOWN),
        ((FINE, FAULT, FINE), 1, Verdict.KNOWN),
        ((FINE, FAULT, FINE), None, Verdict.KNOWN),
        ((FINE, FINE, FAULT), 1, Verdict.LOST),  # it was not come to
        ((FINE, OPEN, FINE), 1, Verdict.LOST),
    ],
)
def test_a_loss_is_known_where_the_model_knows_a_fault_up_to_it(
    predictions: tuple[Prediction, ...], at: int | None, expected: Verdict
) -> None:
    result = verdict(LANE, Missed(SCRIPT, at, "the guest panicked"), predictions)
    assert result.verdict is expected
    assert result.reason == ("a fault; " if expected is Verdict.KNOWN else "") + "the guest panicked"
