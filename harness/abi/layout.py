# SPDX-License-Identifier: MIT
"""C structures as data: the offset of each field, and packing values into bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """A field: `size` bytes at `offset`, little endian."""

    offset: int
    size: int


@dataclass(frozen=True)
class Layout:
    """A structure of `size` bytes, or the part of a union that one command uses."""

    name: str
    size: int
    fields: Mapping[str, Field]

    def pack(self, values: Mapping[str, int]) -> bytes:
        """Returns the structure with the given fields, everything else zero; values are cut to their field's width."""
        image = bytearray(self.size)
        for name, value in values.items():
            field = self.fields[name]
            cut = value & ((1 << 8 * field.size) - 1)
            image[field.offset : field.offset + field.size] = cut.to_bytes(field.size, "little")
        return bytes(image)


def u32(offset: int) -> Field:
    return Field(offset, 4)


def u64(offset: int) -> Field:
    return Field(offset, 8)
