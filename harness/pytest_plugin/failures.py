# SPDX-License-Identifier: MIT
"""Failures and warnings of tests of a guest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import BenchError

if TYPE_CHECKING:
    from harness.run.results import ScriptResult


class Diverged(AssertionError):
    """The guest did not do what the model predicted, not what was expected, or not what it did on other lanes: the
    first such operation, with those before it that failed unexpectedly, since one of them is often the cause.

    A divergence that is understood is `pytest.mark.xfail(raises=Diverged, reason=...)`.
    """

    def __init__(self, result: ScriptResult) -> None:
        at = result.operation
        earlier = [
            f"before it, operation {step.index}, {step.operation}: {step.observation}, which nobody expected"
            for step in result.unexpected
            if at is None or step.index < at.index
        ]
        super().__init__("\n".join((result.reason, *earlier)))
        self.result = result


class LoadFailed(AssertionError):
    """A step that loads or attaches a program of an object failed, so that nothing behind it tests the program: with
    the verifier's reason, and how to state that it is what the test is about."""


class ProbeFailed(AssertionError):
    """A function or a tracepoint that the test names got no probe, so that nothing behind it tests the program: with
    the nearest names that the kernel has, and how to state that it is what the test is about."""


class Unjudged(UserWarning):
    """An operation passed though neither model nor test predicts it; `-W error::harness.testing.Unjudged` fails the
    test."""


class UnexpectedFailure(UserWarning):
    """An operation failed unexpectedly, whatever the model predicts: `expect` it, or find out why; `-W
    error::harness.testing.UnexpectedFailure` fails the test."""


class ScriptLost(BenchError):
    """A script did not end: its process, the agent or the machine died; with the operation where that is known."""


def users_level() -> int:
    """Returns the `stacklevel` by which a warning of the caller points at the test's own line, through whichever
    methods of the plugin it came."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and Path(frame.f_code.co_filename).parent == Path(__file__).parent:
        frame, level = frame.f_back, level + 1
    return level
