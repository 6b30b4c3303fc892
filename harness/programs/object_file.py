# SPDX-License-Identifier: MIT
"""Programs in ELF object files, as clang -target bpf makes them and libbpf loads them.

Understood is what is well defined without BTF: a section with the instructions of one program, its relocations against
maps, the sections `license` and `version`, and maps defined in the legacy `maps` section by `struct bpf_map_def`
(tools/lib/bpf/bpf_helpers.h up to libbpf 0.8). Of maps in `.maps`, which BTF defines, only the names are known. All
else that would change the program, such as global data, functions of other sections or what is adjusted to a kernel's
types (CO-RE), is refused by name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

from elftools.elf.elffile import ELFFile

from harness.isa.instruction import SIZE, Instruction, decode
from harness.isa.opcodes import LD_IMM64, Pseudo
from harness.programs.btf import core_relocations
from harness.programs.sections import meaning
from harness.programs.source import MOST_INSTRUCTIONS, Source
from harness.script.operations import CreateMap, Program, Ref
from hil.errors import HilError, UserError

EM_NONE, EM_BPF = 0, 247
SHF_EXECINSTR = 4
R_BPF_64_64 = 1
"""Of a 64 bit constant: Documentation/bpf/llvm_reloc.rst."""
LEGACY_MAPS, BTF_MAPS = "maps", ".maps"
_MAP_DEFINITION = struct.Struct("<4I")
_VERSION_SIZE = 4


@dataclass(frozen=True)
class _Symbol:
    name: str
    kind: str
    section: int | None
    value: int
    size: int


def read(content: bytes, section: str | None = None) -> Source:
    """The program of `section`, by default of the only section that has one; UserError for what is not understood."""
    try:
        return _read(ELFFile(BytesIO(content)), section)
    except (HilError, MemoryError):
        raise
    except Exception as error:
        # pyelftools raises whatever its parser stumbles over: its own errors, those of construct, KeyError, ...
        raise UserError(f"the object file is damaged: {error or type(error).__name__}") from error


def _read(elf: Any, wanted: str | None) -> Source:
    if _machine(elf) not in (EM_NONE, EM_BPF) or elf["e_type"] != "ET_REL":
        raise UserError(f"an ELF file of {elf['e_machine']}, {elf['e_type']}", remedy="give a BPF object file")
    if elf.elfclass != 64 or not elf.little_endian:
        order = "little" if elf.little_endian else "big"
        raise UserError(
            f"a {order}-endian BPF object file of {elf.elfclass} bits",
            remedy="compile for bpfel, which every architecture here runs",
        )
    sections = list(elf.iter_sections())
    symbols = [
        _symbol(symbol) for table in sections if table["sh_type"] == "SHT_SYMTAB" for symbol in table.iter_symbols()
    ]
    index = _pick(sections, wanted)
    name = sections[index].name
    _check_functions(name, [symbol for symbol in symbols if symbol.section == index and symbol.kind == "STT_FUNC"])
    code = sections[index].data()
    if len(code) > MOST_INSTRUCTIONS * SIZE:
        raise UserError(f"section {name} has {len(code) // SIZE} instructions", remedy="no kernel takes so many")
    _check_types(sections, name)
    said = meaning(name)
    return Source(
        _relocated(decode(code), list(_relocations(sections, index)), symbols, sections),
        tuple(_legacy_maps(sections, symbols)),
        _license(sections),
        _version(sections),
        name,
        said.type if said else None,
        "" if said is None or said.alone else f"section {name} is loaded with more than its type",
    )


def _machine(elf: Any) -> object:
    """The number of the machine; pyelftools names those it knows."""
    return {"EM_BPF": EM_BPF, "EM_NONE": EM_NONE}.get(elf["e_machine"], elf["e_machine"])


def _symbol(symbol: Any) -> _Symbol:
    section = symbol["st_shndx"]
    return _Symbol(
        symbol.name,
        symbol["st_info"]["type"],
        section if isinstance(section, int) else None,
        symbol["st_value"],
        symbol["st_size"],
    )


def _pick(sections: Sequence[Any], wanted: str | None) -> int:
    """The index of the section with the program."""
    programs = {
        section.name: index
        for index, section in enumerate(sections)
        if section["sh_type"] == "SHT_PROGBITS" and section["sh_flags"] & SHF_EXECINSTR and section["sh_size"]
    }
    if wanted in programs:
        return programs[wanted]
    if not programs:
        raise UserError("the object file has no section with instructions")
    choice = f"choose with --section: {', '.join(programs)}"
    if wanted is not None:
        raise UserError(f"the object file has no program in section {wanted!r}", remedy=choice)
    if len(programs) > 1:
        raise UserError(f"the object file has {len(programs)} sections with instructions", remedy=choice)
    return next(iter(programs.values()))


def _check_functions(section: str, functions: Sequence[_Symbol]) -> None:
    """Which of several functions is the program, and which it calls, is not said in a section."""
    starts = {function.value: function.name for function in functions}
    if len(starts) > 1:
        raise UserError(
            f"section {section} holds {len(starts)} functions: {', '.join(starts.values())}",
            remedy="give each program a section of its own",
        )


def _check_types(sections: Sequence[Any], section: str) -> None:
    """What depends on the types of a kernel is not known without it."""
    more = _content(sections, ".BTF.ext")
    if more is None:
        return
    first = next(core_relocations(_content(sections, ".BTF") or b"", more, section), None)
    if first is not None:
        raise UserError(
            f"instruction {first.offset // SIZE} of section {section} is relocated to the kernel's own {first.type}"
            f" when it is loaded (CO-RE, access {first.access})",
            remedy="build it without CO-RE (no BPF_CORE_READ, no preserve_access_index), which nothing here applies",
        )


def _relocations(sections: Sequence[Any], index: int) -> Iterator[Any]:
    for section in sections:
        if section["sh_type"] in ("SHT_REL", "SHT_RELA") and section["sh_info"] == index:
            if section["sh_type"] == "SHT_RELA":
                raise UserError(f"section {section.name} has relocations with addends, which BPF does not use")
            yield from section.iter_relocations()


def _relocated(
    instructions: tuple[Instruction, ...],
    relocations: Sequence[Any],
    symbols: Sequence[_Symbol],
    sections: Sequence[Any],
) -> Program:
    patched, maps = list(instructions), []
    for relocation in relocations:
        index, rest = divmod(relocation["r_offset"], SIZE)
        if rest or index >= len(patched):
            raise UserError(f"a relocation at byte {relocation['r_offset']}, where no instruction begins")
        symbol, instruction = symbols[relocation["r_info_sym"]], patched[index]
        home = sections[symbol.section].name if symbol.section is not None else None
        kind = relocation["r_info_type"]
        if kind == R_BPF_64_64 and home in (LEGACY_MAPS, BTF_MAPS) and instruction.code == LD_IMM64:
            if not symbol.name or symbol.kind == "STT_SECTION":
                raise UserError(f"instruction {index} refers to a map without a name", remedy="do not make it static")
            patched[index] = replace(instruction, src=Pseudo.MAP_FD, imm=0)
            maps.append((index, Ref(symbol.name)))
        else:
            what = symbol.name or home or "something without a name"
            where = f"in section {home}" if home else "defined nowhere"
            raise UserError(
                f"instruction {index} refers to {what}, {where} (relocation type {kind})",
                remedy="only maps can be referred to; inline functions, and keep no global data",
            )
    return Program(tuple(patched), tuple(maps))


def _legacy_maps(sections: Sequence[Any], symbols: Sequence[_Symbol]) -> Iterator[CreateMap]:
    for index, section in enumerate(sections):
        if section.name != LEGACY_MAPS:
            continue
        content, own = section.data(), [s for s in symbols if s.section == index and s.kind != "STT_SECTION"]
        for symbol in own:
            definition = content[symbol.value : symbol.value + (symbol.size or len(content) // len(own))]
            if len(definition) < _MAP_DEFINITION.size:
                raise UserError(f"map {symbol.name} has a definition of {len(definition)} bytes, of at least 16")
            type, key_size, value_size, entries = _MAP_DEFINITION.unpack_from(definition)
            flags = int.from_bytes(definition[16:20], "little")
            yield CreateMap(symbol.name, type, key_size, value_size, entries, flags)


def _license(sections: Sequence[Any]) -> str | None:
    content = _content(sections, "license")
    return None if content is None else content.split(b"\0", 1)[0].decode("ascii", "replace")


def _version(sections: Sequence[Any]) -> int | None:
    content = _content(sections, "version")
    if content is None:
        return None
    if len(content) != _VERSION_SIZE:
        raise UserError(f"section version has {len(content)} bytes", remedy="it holds a LINUX_VERSION_CODE of 4 bytes")
    return int.from_bytes(content, "little")


def _content(sections: Sequence[Any], name: str) -> bytes | None:
    return next((bytes(section.data()) for section in sections if section.name == name), None)
