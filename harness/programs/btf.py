# SPDX-License-Identifier: MIT
"""Of BTF and what belongs to it, as much as tells that a program is not complete without a kernel's types.

Formats: Documentation/bpf/btf.rst; include/uapi/linux/btf.h; struct bpf_core_relo, include/uapi/linux/bpf.h (7.2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = 0xEB9F
_HEADER = struct.Struct("<HBBI4I")
"""struct btf_header: magic, version, flags, its own length; offset and length of types and of strings, behind it."""
_EXT_HEADER = struct.Struct("<HBBI6I")
"""struct btf_ext_header: as above, with func_info, line_info and core_relo."""
_EXT_WITHOUT_CORE = 24
"""Bytes of that header when nothing knew of core_relo yet."""
_FLAVOUR = "___"
"""What is behind it tells apart views of one type, and no kernel has it: bpf_core_essential_name_len()."""
_TYPE = struct.Struct("<3I")
_CORE = struct.Struct("<4I")
_INT, _ARRAY, _STRUCT, _UNION, _ENUM = 1, 3, 4, 5, 6
_FUNC_PROTO, _VAR, _DATASEC, _DECL_TAG, _ENUM64 = 13, 14, 15, 17, 19
_TAIL = {_INT: (4, 0), _ARRAY: (12, 0), _VAR: (4, 0), _DECL_TAG: (4, 0)} | {
    kind: (0, size)
    for kind, size in {_STRUCT: 12, _UNION: 12, _ENUM: 8, _FUNC_PROTO: 8, _DATASEC: 12, _ENUM64: 12}.items()
}
"""Bytes behind a type: always, and for each of its members."""


@dataclass(frozen=True)
class CoreRelocation:
    """An instruction, by its byte in the section, that is adjusted to the `type` a kernel has: `access` is the path
    through its members as numbers, `0:1`."""

    offset: int
    type: str
    access: str


def core_relocations(types: bytes, more: bytes, section: str) -> Iterator[CoreRelocation]:
    """Those of a section's program; `types` is the section .BTF, `more` is .BTF.ext. ValueError when one is damaged."""
    magic, _, _, header, *places = _EXT_HEADER.unpack(more[: _EXT_HEADER.size].ljust(_EXT_HEADER.size, b"\0"))
    if magic != MAGIC or not _EXT_WITHOUT_CORE <= header <= len(more):
        raise ValueError(".BTF.ext does not begin as such")
    start, length = (header + places[4], places[5]) if header >= _EXT_HEADER.size else (0, 0)
    if length == 0:
        return
    (_, strings), names = _places(types), _names(types)
    part = more[start : start + length]
    if len(part) < length or length < 4:
        raise ValueError(".BTF.ext ends too early")
    record, at = int.from_bytes(part[:4], "little"), 4
    if record < _CORE.size:
        raise ValueError(f".BTF.ext has relocations of {record} bytes")
    while at < length:
        name, count = struct.unpack_from("<2I", part, at)
        at += 8
        if at + count * record > length:
            raise ValueError(".BTF.ext ends too early")
        if _string(strings, name) == section:
            for index in range(count):
                offset, type, access, _ = _CORE.unpack_from(part, at + index * record)
                yield CoreRelocation(offset, names.get(type, f"type {type}"), _string(strings, access))
        at += count * record


def _places(types: bytes) -> tuple[bytes, bytes]:
    """The types, and the strings."""
    if len(types) < _HEADER.size:
        raise ValueError("there is no .BTF")
    magic, _, _, header, type_start, type_length, string_start, string_length = _HEADER.unpack_from(types)
    if magic != MAGIC:
        raise ValueError(".BTF does not begin as such")
    at, text = header + type_start, header + string_start
    return types[at : at + type_length], types[text : text + string_length]


def _string(strings: bytes, at: int) -> str:
    if at >= len(strings):
        raise ValueError(f".BTF has no string at {at}")
    return strings[at : strings.find(b"\0", at)].decode("ascii", "replace")


def _names(types: bytes) -> dict[int, str]:
    """The names of types that have one, by their numbers, which begin with 1."""
    content, strings = _places(types)
    names: dict[int, str] = {}
    at, number = 0, 1
    while at < len(content):
        name, info, _ = _TYPE.unpack_from(content, at)
        if name:
            names[number] = _string(strings, name).partition(_FLAVOUR)[0]
        fixed, each = _TAIL.get(info >> 24 & 0x1F, (0, 0))
        at += _TYPE.size + fixed + each * (info & 0xFFFF)
        number += 1
    return names
