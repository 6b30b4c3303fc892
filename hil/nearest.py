# SPDX-License-Identifier: MIT
"""What to write instead of a name that is unknown, for the remedies of errors."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def meant(name: str, known: Iterable[str]) -> str:
    """Returns the question whether the known name most like an unknown one was meant; empty when none is like it."""
    near = get_close_matches(name, list(known), 1)
    return f"did you mean {near[0]!r}?" if near else ""


def nearest(name: str, known: Iterable[str], nothing: str = "there is none") -> str:
    """Returns what to write instead of a name that is unknown: the one most like it, else all there are."""
    known = list(known)
    return meant(name, known) or (f"choose from {', '.join(map(repr, known))}" if known else nothing)
