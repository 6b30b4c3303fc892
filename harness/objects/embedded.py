# SPDX-License-Identifier: MIT
"""BPF objects within other files: skeletons of libbpf keep theirs in .rodata, programs in Go among their strings."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from harness.objects.elf import EM_BPF, EM_NONE, MAGIC

_HEADER_SIZE = 64
_SECTION_SIZE = 64
_NOBITS = 8
_RELOCATABLE = 1
_64_BITS = 2


@dataclass(frozen=True)
class Embedded:
    """An object that begins at byte `offset` of a file; 0 is the file itself."""

    offset: int
    content: bytes


def objects(content: bytes) -> Iterator[Embedded]:
    """Every BPF object in `content`, the file itself among them when it is one."""
    at = content.find(MAGIC)
    while at >= 0:
        length = _length(content, at)
        if length:
            yield Embedded(at, content if not at and length == len(content) else content[at : at + length])
        at = content.find(MAGIC, at + max(length, 1))


def _length(content: bytes, at: int) -> int:
    """How long the object at a byte is by its header and those of its sections; 0 when there is none."""
    header = content[at : at + _HEADER_SIZE]
    if len(header) < _HEADER_SIZE or header[4] != _64_BITS or header[5] not in (1, 2):
        return 0
    order = "<" if header[5] == 1 else ">"
    kind, machine = struct.unpack_from(f"{order}2H", header, 16)
    (table,) = struct.unpack_from(f"{order}Q", header, 40)
    size, count = struct.unpack_from(f"{order}2H", header, 58)
    allowed = (EM_BPF, EM_NONE) if at == 0 else (EM_BPF,)
    if kind != _RELOCATABLE or machine not in allowed or size != _SECTION_SIZE or not count:
        return 0
    end = table + size * count
    if at + end > len(content):
        return 0
    for number in range(count):
        place = at + table + size * number
        (type,) = struct.unpack_from(f"{order}I", content, place + 4)
        offset, nbytes = struct.unpack_from(f"{order}2Q", content, place + 24)
        if type not in (0, _NOBITS):
            end = max(end, offset + nbytes)
    return end if at + end <= len(content) else 0
