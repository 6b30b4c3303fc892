# SPDX-License-Identifier: MIT
"""One type of BTF."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.abi.btf import Kind as Kind

_FLAVOUR = re.compile(r"(.*[^_])___[^_]")


COMPOSITE = frozenset({Kind.STRUCT, Kind.UNION})
ENUMERATIONS = frozenset({Kind.ENUM, Kind.ENUM64})
MODIFIERS = frozenset({Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG})
_SIZED = frozenset({Kind.INT, *COMPOSITE, *ENUMERATIONS, Kind.DATASEC, Kind.FLOAT})


@dataclass(frozen=True, slots=True)
class Member:
    """Of a structure: `offset` in bits, and `bits` of a bit field, else 0. Of a section of data: offset and size in
    bytes. Of an enumeration: `offset` is the value. Of a function: a parameter."""

    name: str
    type: int = 0
    offset: int = 0
    bits: int = 0


@dataclass(frozen=True, slots=True)
class Type:
    """`word` is the size in bytes of what has one, else the number of the type that it refers to. `flag` is kind_flag;
    `elements` of an array, `index` the type it is counted by; `linkage` of a variable or a function: 0 static,
    1 global, 2 defined elsewhere."""

    kind: Kind
    name: str
    word: int
    flag: bool = False
    members: tuple[Member, ...] = ()
    elements: int = 0
    linkage: int = 0
    signed: bool = False
    is_char: bool = False
    is_bool: bool = False
    bits: int = 0
    """Of a whole number."""
    component: int = -1
    """Of a tag of a declaration: which member or parameter it is of; -1 is the declaration itself."""

    @property
    def size(self) -> int | None:
        return self.word if self.kind in _SIZED else None

    @property
    def essential(self) -> str:
        """The name as a kernel has it."""
        return essential(self.name)


def essential(name: str) -> str:
    """The name without its flavour, what is behind three underscores: it tells apart views of one type, and no kernel
    has it (bpf_core_essential_name_len())."""
    found = _FLAVOUR.match(name) if "___" in name else None
    return found[1] if found else name
