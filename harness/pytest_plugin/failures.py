# SPDX-License-Identifier: MIT
"""How a test of a guest fails, or passes with a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.errors import BenchError

if TYPE_CHECKING:
    from harness.run.results import ScriptResult


class Diverged(AssertionError):
    """The guest did not do what the model predicted, or not what was expected: the first operation, and who said what.

    A divergence that is understood is `pytest.mark.xfail(raises=Diverged, reason=...)`.
    """

    def __init__(self, result: ScriptResult) -> None:
        super().__init__(result.reason)
        self.result = result


class Unjudged(UserWarning):
    """An operation passed though nobody said what it must give; `-W error::harness.testing.Unjudged` fails the test."""


class UnexpectedFailure(UserWarning):
    """An operation failed though nobody said that it should, whatever the model says: `expect` it, or find out why;
    `-W error::harness.testing.UnexpectedFailure` fails the test."""


class ScriptLost(BenchError):
    """A script did not end: its process, the agent or the machine died, and what it was at where that is known."""
