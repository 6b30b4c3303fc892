# SPDX-License-Identifier: MIT
"""What to write instead of a name that is unknown, for the remedies of errors."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], nothing: str = "there is none") -> str:
    """Returns what to write instead of a name that is unknown: the one most like it, else all there are."""
    known = list(known)
    if near := get_close_matches(name, known, 1):
        return f"did you mean {near[0]!r}?"
    return f"choose from {', '.join(map(repr, known))}" if known else nothing
