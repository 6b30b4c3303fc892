# SPDX-License-Identifier: MIT
"""The symbols of an ELF file as tuples. pyelftools makes an object of each, which takes half a minute for a kernel."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile  # gdb's own Python has no pyelftools

_SYMBOL = struct.Struct("<IBBHQQ")
"""Elf64_Sym, elf(5)."""


def symbols(elf: ELFFile, table: str) -> Iterator[tuple[str, int, int, int, int]]:
    """Yields name, type, section, address and size of each symbol that has a name, in the section `table` of a 64 bit
    little endian file; none where there is no such section."""
    section = elf.get_section_by_name(table)
    if section is None:
        return
    strings = elf.get_section(section["sh_link"])
    assert strings is not None
    names = strings.data()
    for name, info, _, place, address, size in _SYMBOL.iter_unpack(section.data()):
        if name:
            yield names[name : names.index(b"\0", name)].decode(), info & 0xF, place, address, size
