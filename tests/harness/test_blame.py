# SPDX-License-Identifier: MIT
"""Three words on one operation: whose stands alone."""

from __future__ import annotations

import pytest

from harness.compare import Blame, compare
from harness.script.expectation import Expectation
from harness.script.operations import Close, Script
from harness.script.outcome import Outcome, Prediction, Unpredicted

ONE, TWO, THREE = "EINVAL", "EBADF", "EEXIST"


@pytest.mark.parametrize(
    ("kernel", "model", "clause", "blame"),
    [
        (ONE, ONE, ONE, None),
        (TWO, ONE, ONE, Blame.KERNEL),
        (ONE, TWO, ONE, Blame.MODEL),
        (ONE, ONE, TWO, Blame.CLAUSE),
        (ONE, TWO, THREE, Blame.UNCLEAR),
        (ONE, None, ONE, None),
        (ONE, None, TWO, Blame.UNCLEAR),
        (ONE, ONE, None, None),
        (ONE, TWO, None, Blame.UNCLEAR),
        (ONE, None, None, None),
    ],
)
def test_whose_word_stands_alone(kernel: str, model: str | None, clause: str | None, blame: Blame | None) -> None:
    expected = (None if clause is None else Expectation(clause),)
    prediction: Prediction = Unpredicted("no rule") if model is None else Outcome(errno=model)
    script = Script("s", "closes something", (Close(100),), expected)
    divergence = compare(script, [prediction], [Outcome(errno=kernel)]).divergence
    assert (divergence.blame if divergence else None) is blame
