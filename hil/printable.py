# SPDX-License-Identifier: MIT
"""Text of others, made fit for one line of a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Returns text in which characters that would control a terminal, or begin another line, are written as `\\x1b`:
    guests print anything, and files and what they name may have any name."""
    return "".join(one if one.isprintable() or one == "\t" else one.encode("unicode_escape").decode() for one in text)
