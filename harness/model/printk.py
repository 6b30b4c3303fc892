# SPDX-License-Identifier: MIT
"""bpf_trace_printk: the formats it accepts and the length of the text; kernel/trace/bpf_trace.c."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.model.errno import Errno
from harness.model.rules import PrintkRules
from harness.model.tnum import signed64
from harness.model.unpredictable import Unpredictable
from harness.model.value import M32, Value, exactly

MOST_CONVERSIONS = 3
ADDRESS = "0" * 16
HIDDEN = r"(?:[0-9a-f]{16}|\(____ptrval____\)| *\(null\))"
PERCENT = "a percent sign"
LONGEST = 1023
"""The text is cut to its buffer of 1024 bytes, NUL included."""

_SPACE = b"\t\n\v\f\r "
_PUNCTUATION = bytes(code for code in range(0x21, 0x7F) if not chr(code).isalnum())


def parse(rules: PrintkRules, version: int, text: bytes) -> list[str]:
    """Returns the format split into characters and conversions, which keep their percent sign.

    Raises Errno EINVAL for a format the era refuses; Unpredictable for one that the model does not know.
    """
    return list(_pieces(rules, version, _format(rules, text)))


@dataclass(frozen=True)
class Printed:
    """A text of which some may be unknown: None stands for an address, in `len(ADDRESS)` characters."""

    pieces: tuple[str | None, ...]

    def __len__(self) -> int:
        return min(sum(len(ADDRESS if piece is None else piece) for piece in self.pieces), LONGEST)

    def __str__(self) -> str:
        return "".join("<an address>" if piece is None else piece for piece in self.pieces)

    def admits(self, observed: str) -> bool:
        """Returns whether the kernel may have printed `observed`."""
        pattern = "".join(HIDDEN if piece is None else re.escape(piece) for piece in self.pieces)
        return re.fullmatch(pattern, observed, re.DOTALL) is not None

    def example(self) -> str:
        """Returns a text that it admits."""
        return "".join(piece or ADDRESS for piece in self.pieces)


def printed(rules: PrintkRules, pieces: Sequence[str], arguments: tuple[Value, Value, Value]) -> Printed:
    """Returns the text; raises Unpredictable when it depends on an argument that is not known."""
    values = iter(arguments)
    texts = (_convert(rules, piece, next(values)) if piece.startswith("%") else piece for piece in pieces)
    return Printed(tuple("%" if text == PERCENT else text for text in texts))


def _format(rules: PrintkRules, text: bytes) -> bytes:
    """Returns the format without its NUL."""
    if rules.inner_nul:
        if 0 not in text:
            raise Errno("EINVAL")
        return text[: text.index(0)]
    if text[-1]:
        raise Errno("EINVAL")
    return text[:-1]


def _eight_bit(rules: PrintkRules, version: int) -> bool:
    """Returns whether the text may have bytes from 0x80 on."""
    if (taken := rules.eight_bit.in_release(version)) is None:
        raise Unpredictable("whether trace_printk of this stable release takes bytes from 0x80 on")
    return taken


def _pieces(rules: PrintkRules, version: int, text: bytes) -> Iterator[str]:
    conversions = at = 0
    while at < len(text):
        code = text[at]
        if not (0x20 <= code < 0x7F or code in _SPACE or (code >= 0x80 and _eight_bit(rules, version))):
            raise Errno("EINVAL")
        at += 1
        if code != ord("%"):
            yield chr(code)
        elif rules.percent and text[at : at + 1] == b"%":
            yield PERCENT
            at += 1
        elif conversions == MOST_CONVERSIONS:
            raise Errno("EINVAL")
        else:
            conversion, at = _conversion(rules, text, at)
            conversions += 1
            yield "%" + conversion


def _conversion(rules: PrintkRules, text: bytes, at: int) -> tuple[str, int]:
    """Returns the conversion that begins behind a percent sign, and where the format goes on."""
    rest = text[at:].decode("latin-1")
    for modifier in ("ll", "l", ""):
        if rest.startswith(modifier):
            letter = rest[len(modifier) : len(modifier) + 1]
            if letter and letter in rules.conversions.replace("p", "" if modifier else "p"):
                at += len(modifier) + 1
                return (modifier + letter, _behind_pointer(rules, text, at) if letter == "p" else at)
            break
    if rules.others_refused or modifier or rest[:1] in ("", "%"):
        raise Errno("EINVAL")
    raise Unpredictable(f"the model does not know the conversion %{rest[:4]!r} of trace_printk")


def _behind_pointer(rules: PrintkRules, text: bytes, at: int) -> int:
    """Checks that `%p` stands before white space, punctuation or the end.

    4.1 does not look at that character again, so that a conversion hidden there is printed unchecked:
    bpf_trace_printk(), kernel/trace/bpf_trace.c.
    """
    if text[at : at + 1] == b"%":
        raise Unpredictable("a conversion right behind %p escapes the check of trace_printk")
    if at < len(text) and text[at] not in _SPACE + _PUNCTUATION:
        if rules.others_refused:
            raise Errno("EINVAL")
        raise Unpredictable("the model does not know extended pointer conversions of trace_printk")
    return at


def _convert(rules: PrintkRules, conversion: str, argument: Value) -> str | None:
    letter, long = conversion[-1], "l" in conversion
    if letter == "p":
        if rules.hides_addresses or not isinstance(argument, int):
            return None
        return f"{argument:016x}" if argument else f"{'(null)':>16}"
    value = exactly(argument if long else argument & M32)
    if letter in "xX":
        return f"{value:x}"
    if letter in "di":
        return str(signed64(value) if long else value - (1 << 32 if value & 1 << 31 else 0))
    return str(value)
