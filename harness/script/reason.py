# SPDX-License-Identifier: MIT
"""Why there is no prediction, for people and for programs."""

from __future__ import annotations

from enum import Enum, auto


class Gap(Enum):
    """The kind of knowledge that is missing, where it is one that kernels have among themselves."""

    VERDICT = auto()
    """Whether the verifier takes a program."""
    UNCHECKED = auto()
    """Whether a release has a change that nobody has looked up for it."""
    SYMBOLS = auto()
    """Which functions, instructions and tracepoints a kernel has."""
    INPUT = auto()
    """What the kernel makes of input that the model does not parse."""
    NUMBER = auto()
    """What has a number that the script did not get for a descriptor, or got for one that is closed by now."""
    MAPS = auto()
    """What maps of a type, or with a flag, do."""
    INSTRUCTIONS = auto()
    """What an instruction does."""
    ORDER = auto()
    """Which of several checks a release makes first, or with which errno."""


class Reason(str):
    """A sentence for people, and the gap that it is about. Nothing depends on the wording."""

    __slots__ = ("gap",)
    gap: Gap | None

    def __new__(cls, text: str, gap: Gap | None) -> Reason:
        """Makes a reason; without a gap it is about something that differs from run to run."""
        reason = str.__new__(cls, text)
        reason.gap = gap
        return reason

    def __getnewargs__(self) -> tuple[str, Gap | None]:  # type: ignore[override]  # of str: only the text
        """Returns what copies are made of."""
        return str(self), self.gap


def gap_of(reason: str) -> Gap | None:
    """Returns the gap that a reason is about, None for one of which only the text is known."""
    return reason.gap if isinstance(reason, Reason) else None
