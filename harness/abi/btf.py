# SPDX-License-Identifier: MIT
"""The BPF type format, BTF: numbers of include/uapi/linux/btf.h, and a writer of type information.

`harness.objects.btf` reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum

MAGIC = 0xEB9F
HEADER = "HBBI4I"
"""struct btf_header: magic, version, flags, its own length; offset and length of types and of strings, behind it."""
VERSION = 1
NAME = r"[A-Za-z_]\w{0,99}"
"""A pattern of names of functions that every kernel takes: btf_name_valid_identifier(), kernel/bpf/btf.c."""


class Kind(IntEnum):
    """BTF_KIND_*."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


class Linkage(IntEnum):
    """BTF_FUNC_*: where a function can be called from."""

    STATIC = 0
    GLOBAL = 1


SIGNED = 1
"""BTF_INT_SIGNED"""


class Writer:
    """Collects types, whose numbers begin with 1, and writes them as one little-endian blob."""

    def __init__(self) -> None:
        self._types: list[bytes] = []
        self._strings = bytearray(1)
        self._places: dict[str, int] = {"": 0}

    def string(self, text: str) -> int:
        """Returns the offset of a string, which is added if it is not there yet."""
        if text not in self._places:
            self._places[text] = len(self._strings)
            self._strings += text.encode() + b"\0"
        return self._places[text]

    def add(
        self,
        kind: Kind,
        name: str = "",
        word: int = 0,
        count: int = 0,
        rest: Sequence[int] = (),
        *,
        flag: bool = False,
    ) -> int:
        """Adds struct btf_type and the words behind it; returns its number.

        `word` is the size in bytes, or the type that it refers to; `count` the members, or the linkage of a function;
        `flag` is kind_flag.
        """
        info = flag << 31 | kind << 24 | count
        self._types.append(struct.pack(f"<3I{len(rest)}I", self.string(name), info, word, *rest))
        return len(self._types)

    def integer(self, name: str, nbytes: int, *, signed: bool) -> int:
        """Adds a whole number; returns its type's number."""
        return self.add(Kind.INT, name, nbytes, rest=((SIGNED if signed else 0) << 24 | 8 * nbytes,))

    def function(self, name: str, returns: int, linkage: Linkage = Linkage.STATIC) -> int:
        """Adds a function without parameters; returns its type's number."""
        return self.add(Kind.FUNC, name, self.add(Kind.FUNC_PROTO, word=returns), count=linkage)

    def blob(self) -> bytes:
        """Returns the header, the types and the strings."""
        types = b"".join(self._types)
        header = struct.calcsize("<" + HEADER)
        sizes = (0, len(types), len(types), len(self._strings))
        return struct.pack("<" + HEADER, MAGIC, VERSION, 0, header, *sizes) + types + bytes(self._strings)


def of_functions(names: Sequence[str]) -> tuple[bytes, tuple[int, ...]]:
    """Returns type information of functions of one file that return an int, and the number of each one's type."""
    writer = Writer()
    number = writer.integer("int", 4, signed=True)
    types = tuple(writer.function(name, number) for name in names)
    return writer.blob(), types
