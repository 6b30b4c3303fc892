# SPDX-License-Identifier: MIT
"""GitHub's Markdown, as far as we write it; GitLab reads the same. https://github.github.com/gfm/"""

from __future__ import annotations

import re
from collections.abc import Iterable


def line(cells: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def cell(text: str) -> str:
    """Returns code whose bars do not end a table's cell; https://github.github.com/gfm/#tables-extension-"""
    return code(text.replace("|", "\\|"))


def code(text: str) -> str:
    """A code span, fenced by more backticks than are in it; https://spec.commonmark.org/0.31.2/#code-spans"""
    flat = " ".join(text.split()) or "-"
    fence = "`" * (_longest(flat) + 1)
    pad = " " if "`" in (flat[0], flat[-1]) else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def block(text: str, language: str) -> str:
    """Lines of code, fenced likewise."""
    fence = "`" * max(3, _longest(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


def _longest(text: str) -> int:
    """Returns the length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)
