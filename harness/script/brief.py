# SPDX-License-Identifier: MIT
"""Shortening of long values to a line: they are cut in the middle, and what is left out is counted."""

from __future__ import annotations

import re

MOST = 400
"""The characters of an operation or of an outcome on a line."""
_HEX = re.compile(r"\b(?:[0-9a-f]{2}){33,}\b")
_HEAD, _TAIL = 32, 16
"""The digits that stay of a long run of bytes."""


def brief(text: str, most: int = MOST) -> str:
    """Returns `text` with long runs of bytes shortened and, if that is not enough, cut in its middle to about `most`
    characters."""
    text = brief_bytes(text)
    if len(text) <= most:
        return text
    left_out = len(text) - most
    return f"{text[: most * 2 // 3]} ... {left_out} characters ... {text[len(text) - most // 3 :]}"


def brief_bytes(text: str) -> str:
    """Returns `text` with long runs of bytes shortened."""
    return _HEX.sub(_bytes, text)


def _bytes(match: re.Match[str]) -> str:
    digits = match[0]
    return f"{digits[:_HEAD]}...{len(digits) // 2} bytes...{digits[-_TAIL:]}"
