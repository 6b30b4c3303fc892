# SPDX-License-Identifier: MIT
"""A kernel's symbols in memory: names to addresses and back."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from hil.errors import BenchError
from hil.gdb.frame import Frame

# Elf64_Sym, the types of symbols (NOTYPE, OBJECT, FUNC; others follow), and the flag of sections with code; elf(5).
_SYMBOL = struct.Struct("<IBBHQQ")
_STT_NOTYPE, _STT_FUNC = 0, 2
_SHF_EXECINSTR = 4


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name of the kernel or, with `module`, of one of its modules. `size` 0: nobody told."""

    name: str
    address: int
    function: bool
    module: str | None = None
    size: int = 0


class SymbolTable:
    """Look-ups in both directions. Of several names of one address the first one given counts, as it does for the
    kernel, which orders them by that (scripts/kallsyms.c, compare_symbols)."""

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        self.symbols = tuple(symbols)
        self._by_name: dict[str, Symbol] = {}
        functions: dict[int, Symbol] = {}
        for symbol in self.symbols:
            self._by_name.setdefault(symbol.name, symbol)
            if symbol.function:
                functions.setdefault(symbol.address, symbol)
        self._functions = [functions[address] for address in sorted(functions)]
        self._starts = [symbol.address for symbol in self._functions]

    @classmethod
    def of_elf(cls, path: Path) -> SymbolTable:
        """The symbols of an ELF file: a vmlinux, or one that `hil.gdb.symbols` wrote. BenchError when it has none."""
        with path.open("rb") as file:
            elf = ELFFile(file)
            table = elf.get_section_by_name(".symtab")
            if table is None:
                raise BenchError(f"{path} has no symbols", remedy="give a vmlinux that is not stripped")
            strings = elf.get_section(table["sh_link"])
            assert strings is not None
            names = strings.data()
            code = {index for index, section in enumerate(elf.iter_sections()) if section["sh_flags"] & _SHF_EXECINSTR}
            # pyelftools makes an object of each symbol; of a kernel's hundred thousands that takes half a minute.
            return cls(
                # Assembler code often has labels that nobody declared to be functions.
                Symbol(name, address, kind == _STT_FUNC or (kind == _STT_NOTYPE and section in code), size=size)
                for name, kind, section, address, size in _symbols(table.data(), names)
                if kind <= _STT_FUNC and not name.startswith("$")
            )

    def address(self, name: str) -> int | None:
        """Where `name` is; None when there is no such symbol."""
        symbol = self._by_name.get(name)
        return symbol.address if symbol else None

    def function_at(self, address: int) -> Symbol | None:
        """The function that covers `address`, if any. One whose size nobody told reaches to the next."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        function = self._functions[index]
        return function if not function.size or address < function.address + function.size else None

    def frame(self, address: int, *, returns: bool) -> Frame:
        """`address` as a line of a backtrace. `returns`: it is a return address, so the call before it counts: a call
        that is a function's last instruction returns to whatever comes next."""
        symbol = self.function_at(address - 1 if returns else address)
        return Frame(address, symbol.name, address - symbol.address) if symbol else Frame(address)


def _symbols(table: bytes, names: bytes) -> Iterator[tuple[str, int, int, int, int]]:
    """Name, type, section, address and size of each symbol that has a name."""
    for name, info, _, section, address, size in _SYMBOL.iter_unpack(table):
        if name:
            yield names[name : names.index(b"\0", name)].decode(), info & 0xF, section, address, size
