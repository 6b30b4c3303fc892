# SPDX-License-Identifier: MIT
"""Bytes written as hexadecimal text: `b7 00 00 00`, `b7000000`, `0xb7, 0x00`."""

from __future__ import annotations

import re

from hil.errors import UserError

_SEPARATOR = re.compile(r"[\s,]+")
_WORD = re.compile(r"(?:0x)?[0-9a-f]+", re.IGNORECASE)


def is_hexadecimal(text: str) -> bool:
    """Returns whether `text` holds hexadecimal digits and separators alone."""
    words = [word for word in _SEPARATOR.split(text) if word]
    return bool(words) and all(map(_WORD.fullmatch, words))


def parse(text: str, what: str) -> bytes:
    """Returns the bytes of `text`; raises UserError, which calls it `what`, when it is not hexadecimal or ends in half
    a byte."""
    digits = [word.lower().removeprefix("0x") for word in _SEPARATOR.split(text) if word]
    try:
        return b"".join(map(bytes.fromhex, digits))
    except ValueError:
        wrong = next(word for word in digits if not re.fullmatch("(?:[0-9a-f]{2})*", word))
        raise UserError(
            f"{what} is not hexadecimal at {wrong[:20]!r}", remedy="write two digits a byte, as in `b7 00 00 00`"
        ) from None
