# SPDX-License-Identifier: MIT
"""Look-ups of symbols by name and by address."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.errors import BenchError
from hil.gdb import elf
from hil.gdb.frame import Frame
from hil.gdb.table import Symbol, SymbolTable

TABLE = SymbolTable(
    (
        Symbol("first_name", 0x1000, True, size=0x100),
        Symbol("_alias", 0x1000, True, size=0x100),
        Symbol("data", 0x1080, False, size=8),
        Symbol("second", 0x1100, True, size=0x10),
        Symbol("open_end", 0x2000, True),
        Symbol("third", 0x3000, True, size=0x10),
        Symbol("_einittext", 0x4000, True, size=0x1000),
    )
)


def name_at(address: int) -> str | None:
    found = TABLE.function_at(address)
    return found.name if found else None


def test_the_first_name_of_an_address_counts() -> None:
    assert name_at(0x1000) == "first_name"
    assert TABLE.address("_alias") == 0x1000


def test_objects_are_no_functions() -> None:
    assert name_at(0x1080) == "first_name"


def test_sizes_bound_functions() -> None:
    assert name_at(0xFFF) is None
    assert name_at(0x110F) == "second"
    assert name_at(0x1110) is None
    assert name_at(0x300F) == "third"
    assert name_at(0x3010) is None


def test_without_a_size_a_function_reaches_to_the_next() -> None:
    assert name_at(0x2FFF) == "open_end"


def test_what_follows_a_section_belongs_to_none() -> None:
    """There are JITs' programs; its end marker is followed by data only much later."""
    assert name_at(0x4000) is None and name_at(0x4800) is None


def test_a_return_address_behind_a_function_is_the_functions() -> None:
    assert TABLE.frame(0x1100, returns=True) == Frame(0x1100, "first_name", 0x100)
    assert TABLE.frame(0x1100, returns=False) == Frame(0x1100, "second", 0)


def test_an_address_outside_of_functions_has_no_name() -> None:
    assert str(TABLE.frame(0x10, returns=False)) == "0x0000000000000010 ??"


def test_labels_in_code_are_functions_and_mapping_symbols_are_nothing(tmp_path: Path) -> None:
    text = elf.Section(".text", 0x1000, 0x2000, executable=True)
    data = elf.Section(".data", 0x2000, 0x3000, executable=False)
    names = ("label", "$x", "variable")
    content = bytearray(
        elf.write(
            "EM_AARCH64",
            (text, data),
            [elf.Entry(n, a, 0, True) for n, a in zip(names, (0x1010, 0x1020, 0x2010), strict=True)],
        )
    )
    # An assembler gives undeclared names no type.
    for index in (1, 2, 3):
        content[64 + 24 * index + 4] = 0x10
    path = tmp_path / "vmlinux"
    path.write_bytes(content)
    table = SymbolTable.of_elf(path)
    assert [(symbol.name, symbol.function) for symbol in table.symbols] == [("label", True), ("variable", False)]


def test_a_stripped_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(elf.write("EM_X86_64", (), ()).replace(b".symtab", b".nothin"))
    with pytest.raises(BenchError, match="not stripped"):
        SymbolTable.of_elf(path)
