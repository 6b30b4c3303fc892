# SPDX-License-Identifier: MIT
"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Returns `1 result`, `2 results`, `0 results`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
