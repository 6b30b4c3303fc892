# SPDX-License-Identifier: MIT
"""Object files as compilers make them, built in memory: /usr/include/elf.h."""

from __future__ import annotations

import struct
from dataclasses import dataclass

PROGBITS, SYMTAB, STRTAB, REL = 1, 2, 3, 9
WRITE, ALLOC, EXEC = 1, 2, 4
NOTYPE, OBJECT, FUNC, SECTION = 0, 1, 2, 3
LOCAL, GLOBAL = 0, 1


@dataclass(frozen=True)
class Section:
    name: str
    content: bytes
    flags: int = ALLOC


@dataclass(frozen=True)
class Symbol:
    """`section` is an index into the sections given, from 1; 0 is a symbol that is defined nowhere."""

    name: str
    section: int
    kind: int = OBJECT
    value: int = 0
    size: int = 0
    binding: int = GLOBAL
    visibility: int = 0


@dataclass(frozen=True)
class Relocation:
    """In `section`, at byte `offset`, against the symbol of this index, from 1."""

    section: int
    offset: int
    symbol: int
    type: int = 1


def object_file(
    *sections: Section,
    symbols: tuple[Symbol, ...] = (),
    relocations: tuple[Relocation, ...] = (),
    machine: int = 247,
    order: str = "<",
) -> bytes:
    """`order` is that of bytes in everything but the contents of sections, as struct writes it: `<` or `>`."""
    names = b"\0"
    headers, body = [bytes(64)], b""

    def add(name: str, kind: int, content: bytes, flags: int = 0, link: int = 0, info: int = 0, entry: int = 0) -> None:
        nonlocal names, body
        fields = (len(names), kind, flags, 0, 64 + len(body), len(content), link, info, 8, entry)
        headers.append(struct.pack(order + "IIQQQQIIQQ", *fields))
        names += name.encode() + b"\0"
        body += content + bytes(-len(content) % 8)

    for section in sections:
        add(section.name, PROGBITS, section.content, section.flags)
    table, strings = bytes(24), b"\0"
    for symbol in symbols:
        what = symbol.binding << 4 | symbol.kind
        rest = (symbol.visibility, symbol.section, symbol.value, symbol.size)
        table += struct.pack(order + "IBBHQQ", len(strings), what, *rest)
        strings += symbol.name.encode() + b"\0"
    add(".symtab", SYMTAB, table, link=len(sections) + 2, info=1, entry=24)
    add(".strtab", STRTAB, strings)
    for index, section in enumerate(sections, start=1):
        here = (one for one in relocations if one.section == index)
        entries = b"".join(struct.pack(order + "QQ", one.offset, one.symbol << 32 | one.type) for one in here)
        if entries:
            add(f".rel{section.name}", REL, entries, link=len(sections) + 1, info=index, entry=16)
    names += b".shstrtab\0"
    at = len(names) - len(".shstrtab\0")
    headers.append(struct.pack(order + "IIQQQQIIQQ", at, STRTAB, 0, 0, 64 + len(body), len(names), 0, 0, 1, 0))
    body += names + bytes(-len(names) % 8)
    ident = b"\x7fELF\2" + (b"\1" if order == "<" else b"\2") + b"\1" + bytes(9)
    header = struct.pack(
        order + "HHIQQQIHHHHHH", 1, machine, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, len(headers), len(headers) - 1
    )
    return ident + header + body + b"".join(headers)
