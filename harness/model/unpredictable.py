# SPDX-License-Identifier: MIT
"""The exceptions that the model raises where it cannot know what happens."""

from __future__ import annotations

from harness.script.outcome import Prediction
from harness.script.reason import Gap, Reason

UNDECIDED = "a comparison depends on"
"""How the reason begins where a comparison has two ways, of which the model cannot know the right one."""


class Unpredictable(Exception):
    """The model cannot know what happens; the operation becomes `Unpredicted(why)`. It is always caught inside the
    model."""

    def __init__(self, why: str, gap: Gap | None = None) -> None:
        """Takes why, and the gap that it is about; without one `why` keeps its own."""
        super().__init__(why)
        self.why = why if gap is None else Reason(why, gap)


class Settled(Unpredictable):
    """Only the operation's result cannot be known: its effects are in the model's state already, where what cannot be
    known is marked as such."""


class Ran(Settled):
    """A program ran to its end, but what it gave and left in maps cannot be known. Nothing else happened."""


class Bounded(Settled):
    """The operation's result cannot be known but for what `prediction` says of it, which is certain."""

    def __init__(self, why: str, prediction: Prediction) -> None:
        super().__init__(why)
        self.prediction = prediction


class Narrowed(Unpredictable):
    """The operation's result cannot be known but for its errno, which is one of `errnos`; None is success."""

    def __init__(self, why: str, errnos: tuple[str | None, ...]) -> None:
        super().__init__(why)
        self.errnos = errnos


class Deadly(Unpredictable):
    """The kernel has a fault that may crash it, now or when the operation's result is used; `why` names it."""


class Unbounded(Unpredictable):
    """The operation may have done anything to anything, so nothing after it is certain."""
