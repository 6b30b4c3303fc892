# SPDX-License-Identifier: MIT
"""Writes an ELF file that holds nothing but symbols, or debug information, for gdb.

The format: elf(5), and the System V ABI, https://refspecs.linuxfoundation.org/elf/gabi4+/. Every section that a symbol
lies in is SHT_NOBITS: gdb only asks sections for their addresses.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from elftools.elf.enums import ENUM_E_MACHINE

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_SYM = struct.Struct("<IBBHQQ")

_IDENT = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)  # 64 bit, little endian, version 1
_ET_EXEC = 2
_SHT_PROGBITS, _SHT_SYMTAB, _SHT_STRTAB, _SHT_NOBITS = 1, 2, 3, 8
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4
_SHN_ABS = 0xFFF1
_STB_GLOBAL = 1
_STT_OBJECT, _STT_FUNC = 1, 2


@dataclass(frozen=True)
class Section:
    """The addresses from `start` up to, but not including, `end`."""

    name: str
    start: int
    end: int
    executable: bool


@dataclass(frozen=True)
class Entry:
    """A symbol: a function or an object of `size` bytes."""

    name: str
    address: int
    size: int
    function: bool


def write(
    machine: str,
    sections: Sequence[Section],
    entries: Iterable[Entry],
    contents: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """An ELF executable for `machine` ("EM_X86_64", ...). Symbols outside of every section are absolute. `contents` are
    those of sections that are in no memory, by name.

    All symbols are global, so that gdb finds each by name; which ones are local is not known here.
    """
    sections = sorted(sections, key=lambda section: section.start)
    strings, symbols = _symbols(sections, entries)
    names = _Strings()
    headers = [_SHDR.pack(*[0] * 10)]
    for section in sections:
        flags = _SHF_ALLOC | (_SHF_EXECINSTR if section.executable else _SHF_WRITE)
        size = section.end - section.start
        headers.append(_SHDR.pack(names.add(section.name), _SHT_NOBITS, flags, section.start, 0, size, 0, 0, 16, 0))
    string_index = len(headers) + 1
    at = _EHDR.size
    # sh_link of a symbol table is its string table, sh_info the index of its first symbol that is not local.
    headers.append(_SHDR.pack(names.add(".symtab"), _SHT_SYMTAB, 0, 0, at, len(symbols), string_index, 1, 8, _SYM.size))
    at += len(symbols)
    headers.append(_SHDR.pack(names.add(".strtab"), _SHT_STRTAB, 0, 0, at, len(strings), 0, 0, 1, 0))
    at += len(strings)
    for name, content in contents.items():
        headers.append(_SHDR.pack(names.add(name), _SHT_PROGBITS, 0, 0, at, len(content), 0, 0, 1, 0))
        at += len(content)
    name_offset = names.add(".shstrtab")
    headers.append(_SHDR.pack(name_offset, _SHT_STRTAB, 0, 0, at, len(names.data), 0, 0, 1, 0))
    at += len(names.data)
    header = _EHDR.pack(
        *(_IDENT, _ET_EXEC, ENUM_E_MACHINE[machine], 1, 0, 0, at, 0, _EHDR.size, 0, 0),
        *(_SHDR.size, len(headers), len(headers) - 1),
    )
    return b"".join((header, symbols, strings, *contents.values(), names.data, *headers))


def _symbols(sections: Sequence[Section], entries: Iterable[Entry]) -> tuple[bytes, bytes]:
    """The string table and the symbol table, in this order."""
    strings = _Strings()
    starts = [section.start for section in sections]
    table = bytearray(_SYM.size)
    for entry in entries:
        index = bisect_right(starts, entry.address)
        inside = index > 0 and entry.address < sections[index - 1].end
        info = _STB_GLOBAL << 4 | (_STT_FUNC if entry.function else _STT_OBJECT)
        # Section 0 is the null section, so the first of ours is 1.
        table += _SYM.pack(strings.add(entry.name), info, 0, index if inside else _SHN_ABS, entry.address, entry.size)
    return strings.data, bytes(table)


class _Strings:
    """A string table: NUL-terminated, and the empty string first."""

    def __init__(self) -> None:
        self._data = bytearray(1)
        self._known: dict[str, int] = {"": 0}

    @property
    def data(self) -> bytes:
        return bytes(self._data)

    def add(self, text: str) -> int:
        """Add `text` unless it is there; returns its offset."""
        if text not in self._known:
            self._known[text] = len(self._data)
            self._data += text.encode() + b"\0"
        return self._known[text]
