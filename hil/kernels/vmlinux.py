# SPDX-License-Identifier: MIT
"""A vmlinux, the ELF file that a kernel is linked to: what it has for debuggers, and a smaller copy of it.

The format: elf(5). Build IDs: https://refspecs.linuxfoundation.org and NT_GNU_BUILD_ID of elf(5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from hil.errors import UserError

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_TYPE, _FLAGS, _OFFSET, _SIZE, _ALIGN = 1, 2, 4, 5, 8
"""The places of fields in a section's header."""
_SHOFF, _SHNUM = 6, 12
_SHT_NULL, _SHT_RELA, _SHT_NOBITS = 0, 4, 8
_SHF_ALLOC = 2
_CHUNK = 1 << 20
_NOTE = struct.Struct("<3I")
_NT_GNU_BUILD_ID = 3


def has_debug_info(path: Path) -> bool:
    """Whether the file has types and lines (DWARF). Raises UserError when it is no ELF file."""
    with path.open("rb") as file:
        try:
            elf = ELFFile(file)
            return any(elf.get_section_by_name(name) is not None for name in (".debug_info", ".zdebug_info"))
        except ELFError as error:
            raise UserError(f"{path} is no ELF file: {error}", remedy="give the vmlinux of the build") from None


def build_id(path: Path) -> str:
    """The build ID in hexadecimal; empty when the file has none."""
    with path.open("rb") as file:
        for section in ELFFile(file).iter_sections(type="SHT_NOTE"):
            if found := build_id_of(section.data()):
                return found
    return ""


def build_id_of(notes: bytes) -> str:
    """The build ID among notes such as those of /sys/kernel/notes, in hexadecimal; empty when there is none."""
    at = 0
    while at + _NOTE.size <= len(notes):
        name, length, kind = _NOTE.unpack_from(notes, at)
        content = at + _NOTE.size + -(-name // 4) * 4
        if kind == _NT_GNU_BUILD_ID and notes[at + _NOTE.size :].startswith(b"GNU\0"):
            return notes[content : content + length].hex()
        at = content + -(-length // 4) * 4
    return ""


def without_relocations(source: Path, target: Path) -> None:
    """Copy a vmlinux without the relocations that its linker keeps for the boot (--emit-relocs), half of the file,
    which no debugger of a linked file reads. Sections keep their numbers."""
    with source.open("rb") as old, target.open("wb") as new:
        header = list(_EHDR.unpack(old.read(_EHDR.size)))
        old.seek(header[_SHOFF])
        sections = [list(_SHDR.unpack(old.read(_SHDR.size))) for _ in range(header[_SHNUM])]
        dropped = [one for one in sections if one[_TYPE] == _SHT_RELA and not one[_FLAGS] & _SHF_ALLOC]
        # What is in memory comes before what only the linker wrote, so segments keep their places.
        kept = min((one[_OFFSET] for one in dropped), default=header[_SHOFF])
        old.seek(0)
        _copy(old, new, kept)
        for section in _behind(sections, kept):
            if section in dropped:
                section[_TYPE], section[_OFFSET], section[_SIZE] = _SHT_NULL, 0, 0
                continue
            old.seek(section[_OFFSET])
            section[_OFFSET] = _aligned(new, section[_ALIGN])
            _copy(old, new, section[_SIZE])
        header[_SHOFF] = _aligned(new, 8)
        new.write(b"".join(_SHDR.pack(*section) for section in sections))
        new.seek(0)
        new.write(_EHDR.pack(*header))


def _behind(sections: list[list[int]], place: int) -> Iterator[list[int]]:
    """The sections whose content begins at or behind a place of the file, in its order."""
    contained = [one for one in sections if one[_TYPE] not in (_SHT_NULL, _SHT_NOBITS) and one[_OFFSET] >= place]
    yield from sorted(contained, key=lambda one: one[_OFFSET])


def _copy(old: BinaryIO, new: BinaryIO, size: int) -> None:
    while size:
        content = old.read(min(size, _CHUNK))
        if not content:
            return
        new.write(content)
        size -= len(content)


def _aligned(new: BinaryIO, alignment: int) -> int:
    """Fill a file up to a multiple of `alignment`; returns where it ends then."""
    end = new.tell()
    new.write(bytes(-end % max(1, alignment)))
    return new.tell()
