# SPDX-License-Identifier: MIT
"""What belongs to instructions in .BTF.ext: functions, lines of the source, and relocations to a kernel's types.

Formats: struct btf_ext_header and its records, tools/lib/bpf/libbpf_internal.h; struct bpf_core_relo,
include/uapi/linux/bpf.h (7.2). Offsets are bytes from the beginning of a section.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from harness.abi.btf import MAGIC
from harness.objects.btf.reader import Btf, damaged
from harness.objects.reasons import Line

_HEADER = 32
"""Bytes of the header with func_info, line_info and core_relo."""
_WITHOUT_CORE = 24
"""Bytes of that header when nothing knew of core_relo yet."""
_LONGEST_LINE = 200
"""Characters of a source line that are kept."""


class CoreKind(IntEnum):
    """`enum bpf_core_relo_kind`: what of a kernel's types an instruction is adjusted to."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12


@dataclass(frozen=True)
class CoreRelocation:
    """The instruction at byte `offset` is adjusted to type number `type` of the object, which is called `name`, as a
    kernel has it: `access` is the path through its members as numbers, `0:1`."""

    offset: int
    type: int
    access: str
    kind: CoreKind
    name: str = ""


@dataclass(frozen=True)
class Extension:
    """All that .BTF.ext says, by the name of the section; lines are in the order of their offsets. `functions` are
    the numbers of the types of those that begin at an offset."""

    lines: dict[str, list[tuple[int, Line]]] = field(default_factory=dict)
    core: dict[str, list[CoreRelocation]] = field(default_factory=dict)
    functions: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


def read(btf: Btf, content: bytes) -> Extension:
    """Refused when it is damaged."""
    order = btf.order
    if len(content) < 8:
        raise damaged(".BTF.ext does not begin as such")
    magic, _, _, header = struct.unpack_from(f"{order}HBBI", content)
    if magic != MAGIC or not _WITHOUT_CORE <= header <= len(content):
        raise damaged(".BTF.ext does not begin as such")
    count = 6 if header >= _HEADER else 4
    places = [*struct.unpack_from(f"{order}{count}I", content, 8), 0, 0]
    parts = [_part(content, header + places[index], places[index + 1]) for index in (0, 2, 4)]
    functions: dict[str, list[tuple[int, int]]] = {}
    for section, (offset, type) in _records(btf, parts[0], 2):
        functions.setdefault(section, []).append((offset, type))
    lines: dict[str, list[tuple[int, Line]]] = {}
    for section, (offset, file, text, place) in _records(btf, parts[1], 4):
        line = Line(btf.string(file), place >> 10, place & 0x3FF, btf.string(text).strip()[:_LONGEST_LINE])
        lines.setdefault(section, []).append((offset, line))
    core: dict[str, list[CoreRelocation]] = {}
    for section, (offset, type, access, kind) in _records(btf, parts[2], 4):
        if kind not in CoreKind._value2member_map_:
            raise damaged(f".BTF.ext has a relocation of kind {kind}")
        name = btf.type(type).essential or f"type {type}"
        core.setdefault(section, []).append(CoreRelocation(offset, type, btf.string(access), CoreKind(kind), name))
    for entries in lines.values():
        entries.sort(key=lambda one: one[0])
    return Extension(lines, core, functions)


def _part(content: bytes, start: int, length: int) -> bytes:
    if start + length > len(content) or 0 < length < 4:
        raise damaged(".BTF.ext ends too early")
    return content[start : start + length]


def _records(btf: Btf, part: bytes, words: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The records of one part with the names of their sections; of longer ones the first words."""
    if not part:
        return
    size = struct.unpack_from(f"{btf.order}I", part)[0]
    if size < 4 * words or size % 4:
        raise damaged(f".BTF.ext has records of {size} bytes")
    record, at = struct.Struct(f"{btf.order}{words}I"), 4
    while at < len(part):
        if at + 8 > len(part):
            raise damaged(".BTF.ext ends too early")
        name, count = struct.unpack_from(f"{btf.order}2I", part, at)
        at += 8
        if at + count * size > len(part):
            raise damaged(".BTF.ext ends too early")
        section = btf.string(name)
        for place in range(at, at + count * size, size):
            yield section, record.unpack_from(part, place)
        at += count * size
