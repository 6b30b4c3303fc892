# SPDX-License-Identifier: MIT
"""Structures that a script fills in by parts, as in `RawBpf` and `RawOpenEvent`: their bytes and their fields.

Parts may overlap, straddle fields and reach beyond the structure. Numbers are stored first, one after the other; then
descriptors and addresses, which only the target knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.abi.layout import Field
from harness.script.operations import Buffer, EventSource, Functions, Part, Pointers, Ref


@dataclass(frozen=True)
class Filled:
    """A structure of `length` bytes with these parts, and zeros elsewhere."""

    parts: Sequence[Part]
    length: int

    @property
    def image(self) -> bytes:
        """Returns its bytes, with zeros for what only the target knows."""
        image = bytearray(self.length)
        for part in self.parts:
            if isinstance(part.value, int):
                cut = part.value & ((1 << 8 * part.size) - 1)
                image[part.offset : part.offset + part.size] = cut.to_bytes(part.size, "little")
        return bytes(image[: self.length])

    def number(self, field: Field) -> int | None:
        """Returns the value of a field; None when any byte of it is only known to the target."""
        if any(_overlap(part, field) for part in self.parts if not isinstance(part.value, int)):
            return None
        return int.from_bytes(self.image[field.offset : field.offset + field.size], "little")

    def named(self, field: Field) -> Ref | Buffer | Pointers | Functions | EventSource | None:
        """Returns what the target puts into exactly this field; None when it puts nothing there, or elsewhere too."""
        there = [part for part in self.parts if not isinstance(part.value, int) and _overlap(part, field)]
        if len(there) != 1 or isinstance(there[0].value, int):
            return None
        return there[0].value if (there[0].offset, there[0].size) == (field.offset, field.size) else None


def _overlap(part: Part, field: Field) -> bool:
    return part.offset < field.offset + field.size and field.offset < part.offset + part.size
