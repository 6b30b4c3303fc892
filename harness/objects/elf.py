# SPDX-License-Identifier: MIT
"""ELF files of BPF as plain data, read by pyelftools: sections with their bytes, symbols, relocations.

Sizes in a damaged file may be anything, so each is held against the file's own length before something is allocated.
Sources: Documentation/bpf/llvm_reloc.rst; include/uapi/linux/elf.h and elf-em.h (7.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any, Literal

from elftools.elf.elffile import ELFFile

from harness.objects.reasons import Reason, Refused
from hil.errors import HilError

MAGIC = b"\x7fELF"
EM_NONE, EM_BPF = 0, 247
SHF_EXECINSTR = 4
SHF_COMPRESSED = 1 << 11
_UNUSED_RELOCATIONS = (".rel.debug_", ".rel.BTF", ".rel.eh_frame")
"""Only linkers need these: the symbols are sections, which begin at 0, so each value is in its place already."""
MOST_SECTIONS = 8192
MOST_SYMBOLS = 1 << 17
MOST_ZEROS = 64 << 20
"""Bytes of sections that take no room in the file (.bss)."""
_HIDDEN = frozenset({"STV_HIDDEN", "STV_INTERNAL"})
ByteOrder = Literal["little", "big"]


@dataclass(frozen=True)
class Section:
    """`kind` is the sh_type as pyelftools calls it. Debug information, which nothing here reads, has no content."""

    index: int
    name: str
    kind: str
    flags: int
    content: bytes

    @property
    def executable(self) -> bool:
        return self.kind == "SHT_PROGBITS" and bool(self.flags & SHF_EXECINSTR) and bool(self.content)


@dataclass(frozen=True)
class Symbol:
    """`section` is None of what is defined elsewhere, or in no section; `kind` and `binding` as in `NOTYPE`, `WEAK`. A
    `hidden` one is for its own object alone."""

    name: str
    kind: str
    binding: str
    section: int | None
    value: int
    size: int
    hidden: bool = False


@dataclass(frozen=True)
class Relocation:
    """At byte `offset` of its section, against a symbol; `type` is one of R_BPF_*."""

    offset: int
    symbol: Symbol
    type: int


@dataclass(frozen=True)
class Elf:
    """A relocatable object file of BPF; `relocations` are by the index of the section they change."""

    byte_order: ByteOrder
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: Mapping[int, tuple[Relocation, ...]]
    with_addends: frozenset[int]
    """Sections that have relocations with addends (SHT_RELA), which are not read."""

    @cached_property
    def _by_name(self) -> Mapping[str, Section]:
        return {section.name: section for section in reversed(self.sections)}

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return self._by_name.get(name)

    def content(self, name: str) -> bytes | None:
        """The bytes of the first section of that name; None when there is none."""
        return None if (section := self.section(name)) is None else section.content

    def within(self, section: int) -> list[Symbol]:
        """The symbols that a section defines, by their place in it."""
        return sorted((symbol for symbol in self.symbols if symbol.section == section), key=lambda one: one.value)


def read(content: bytes) -> Elf:
    """The file; Refused when it is none of BPF, or damaged."""
    if not content.startswith(MAGIC):
        raise Refused(Reason.NOT_ELF, "the file does not begin as an ELF file", remedy="give a BPF object file")
    try:
        return _read(ELFFile(BytesIO(content)), len(content))
    except HilError:
        raise
    except Exception as error:
        # pyelftools raises whatever its parser stumbles over: its own errors, those of construct, KeyError, ...
        what = " ".join(str(error).split())[:200] or type(error).__name__
        raise Refused(Reason.DAMAGED, f"the object file is damaged: {what}") from error


def _read(elf: Any, length: int) -> Elf:
    if _machine(elf) not in (EM_NONE, EM_BPF):
        raise Refused(
            Reason.NOT_BPF, f"an ELF file of {elf['e_machine']}, {elf['e_type']}", remedy="give a BPF object file"
        )
    if elf["e_type"] != "ET_REL":
        raise Refused(Reason.NOT_RELOCATABLE, f"an ELF file of {elf['e_type']}", remedy="give a BPF object file")
    if elf.elfclass != 64:
        raise Refused(Reason.NOT_BPF, f"a BPF object file of {elf.elfclass} bits", remedy="BPF has 64")
    if elf.num_sections() > MOST_SECTIONS:
        raise Refused(Reason.DAMAGED, f"the object file is damaged: it has {elf.num_sections()} sections")
    raw = list(elf.iter_sections())
    zeros = sum(section["sh_size"] for section in raw if section["sh_type"] == "SHT_NOBITS")
    if zeros > MOST_ZEROS:
        raise Refused(Reason.TOO_LARGE, f"sections of zeros have {zeros} bytes", remedy=f"give at most {MOST_ZEROS}")
    sections = tuple(_section(index, section, length) for index, section in enumerate(raw))
    tables = {index: section for index, section in enumerate(raw) if section["sh_type"] == "SHT_SYMTAB"}
    if len(tables) > 1:
        raise Refused(Reason.DAMAGED, "the object file is damaged: it has two tables of symbols")
    symbols = tuple(_symbol(one) for table in tables.values() for one in _checked(table, length).iter_symbols())
    relocations: dict[int, list[Relocation]] = {}
    for section in raw:
        if section["sh_type"] == "SHT_REL" and not section.name.startswith(_UNUSED_RELOCATIONS):
            entries = relocations.setdefault(section["sh_info"], [])
            entries += (_relocation(one, symbols) for one in _checked(section, length).iter_relocations())
    return Elf(
        "little" if elf.little_endian else "big",
        sections,
        symbols,
        {index: tuple(entries) for index, entries in relocations.items()},
        frozenset(section["sh_info"] for section in raw if section["sh_type"] == "SHT_RELA"),
    )


def _machine(elf: Any) -> object:
    """The number of the machine; pyelftools names those it knows."""
    return {"EM_BPF": EM_BPF, "EM_NONE": EM_NONE}.get(elf["e_machine"], elf["e_machine"])


def _is_debug(name: str) -> bool:
    return name.startswith(".debug_")


def _section(index: int, section: Any, length: int) -> Section:
    name, kind, size = section.name, str(section["sh_type"]), section["sh_size"]
    if kind == "SHT_NOBITS":
        return Section(index, name, kind, section["sh_flags"], bytes(size))
    if kind == "SHT_NULL" or _is_debug(name):
        return Section(index, name, kind, section["sh_flags"], b"")
    if section["sh_offset"] + size > length:
        raise Refused(Reason.DAMAGED, f"the object file is damaged: section {name} ends behind its end", section=name)
    if section["sh_flags"] & SHF_COMPRESSED:
        raise Refused(Reason.DAMAGED, f"section {name} is compressed", section=name, remedy="no loader takes such")
    return Section(index, name, kind, section["sh_flags"], bytes(section.data()))


def _checked(table: Any, length: int) -> Any:
    """The table, whose entries are whole, within the file, and not too many."""
    size, each = table["sh_size"], table["sh_entsize"]
    if not each or size % each or table["sh_offset"] + size > length or size // each > MOST_SYMBOLS:
        raise Refused(Reason.DAMAGED, f"the object file is damaged: section {table.name} is no table of {each} bytes")
    return table


def _symbol(symbol: Any) -> Symbol:
    section = symbol["st_shndx"]
    return Symbol(
        symbol.name,
        str(symbol["st_info"]["type"]).removeprefix("STT_"),
        str(symbol["st_info"]["bind"]).removeprefix("STB_"),
        section if isinstance(section, int) else None,
        symbol["st_value"],
        symbol["st_size"],
        symbol["st_other"]["visibility"] in _HIDDEN,
    )


def _relocation(relocation: Any, symbols: tuple[Symbol, ...]) -> Relocation:
    number = relocation["r_info_sym"]
    if number >= len(symbols):
        raise Refused(Reason.BAD_RELOCATION, f"a relocation names symbol {number} of {len(symbols)}")
    return Relocation(relocation["r_offset"], symbols[number], relocation["r_info_type"])
