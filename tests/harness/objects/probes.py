# SPDX-License-Identifier: MIT
"""Small objects with probes, for tests of what is done with objects."""

from __future__ import annotations

import struct

from harness.core_scripts.parts import count_hits
from harness.isa.assemble import Piece, exit_, program
from harness.isa.instruction import SIZE, encode
from harness.script.operations import MapType
from tests.harness.programs.elf import ALLOC, EXEC, FUNC, Relocation, Section, Symbol, object_file

HITS = struct.pack("<5I", MapType.ARRAY, 4, 8, 1, 0)
"""A legacy definition of an array with one element of 8 bytes."""


def probe(
    section: str = "kprobe/cap_task_prctl",
    *body: Piece,
    name: str = "probe",
    license: bytes = b"GPL",
    version: int | None = None,
    types: bytes = b"",
) -> bytes:
    """An object with one program, which counts its hits in the map `hits` unless it has another body, which may refer
    to that map. `types` are its section .BTF."""
    code = program(*(body or (count_hits(), exit_())))
    sections = [
        Section(section, encode(code.instructions), ALLOC | EXEC),
        Section("maps", HITS),
        Section("license", license + b"\0"),
    ]
    if version is not None:
        sections.append(Section("version", struct.pack("<I", version)))
    if types:
        sections.append(Section(".BTF", types))
    symbols = (Symbol(name, 1, FUNC, 0, SIZE * len(code.instructions)), Symbol("hits", 2, size=len(HITS)))
    relocations = tuple(Relocation(1, SIZE * at, 2) for at, _ in code.maps)
    return object_file(*sections, symbols=symbols, relocations=relocations)


def pair(first: str, second: str) -> bytes:
    """An object with the programs `first` and `second` in two sections, which count in the same map."""
    code = program(count_hits(), exit_())
    instructions = encode(code.instructions)
    functions = ALLOC | EXEC
    return object_file(
        Section(first, instructions, functions),
        Section(second, instructions, functions),
        Section("maps", HITS),
        Section("license", b"GPL\0"),
        symbols=(
            Symbol("first", 1, FUNC, 0, len(instructions)),
            Symbol("second", 2, FUNC, 0, len(instructions)),
            Symbol("hits", 3, size=len(HITS)),
        ),
        relocations=tuple(Relocation(home, SIZE * at, 3) for home in (1, 2) for at, _ in code.maps),
    )
