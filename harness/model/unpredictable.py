# SPDX-License-Identifier: MIT
"""What the model raises where it cannot know what happens."""

from __future__ import annotations


class Unpredictable(Exception):
    """The model cannot know what happens; the operation becomes `Unpredicted(why)`. Never leaves the model."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Settled(Unpredictable):
    """Only what the operation gives cannot be known: what it does has been done to the model's state, where what
    cannot be known is in doubt already."""


class Deadly(Unpredictable):
    """The kernel has a fault that it may die of, now or when what came of the operation is used; `why` names it."""


class Unbounded(Unpredictable):
    """The operation may have done anything to anything, so nothing after it is certain."""
