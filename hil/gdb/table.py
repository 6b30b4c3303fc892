# SPDX-License-Identifier: MIT
"""The symbols of a kernel: look-ups of names by address and of addresses by name."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hil.errors import BenchError
from hil.gdb.frame import Frame
from hil.symtab import symbols

# The table, the types of symbols (NOTYPE, OBJECT, FUNC; others follow), and the flag of sections with code; elf(5).
_TABLE = ".symtab"
_STT_NOTYPE, _STT_FUNC = 0, 2
_SHF_EXECINSTR = 4
_ENDS = frozenset(("_etext", "_einittext"))
"""Symbols behind the last function of a section, from include/asm-generic/sections.h, the same from 4.1 to 7.2: what
follows there, such as a JIT's code, belongs to none."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of the kernel or, with `module`, of one of its modules. `size` is in bytes, 0 where it is unknown."""

    name: str
    address: int
    function: bool
    module: str | None = None
    size: int = 0


class SymbolTable:
    """Look-ups in both directions. Of several names of one address the first in the given order is used, as the kernel
    does, which sorts them for that (scripts/kallsyms.c, compare_symbols)."""

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
        """The symbols of an ELF file: a vmlinux, or one that `hil.gdb.symbols` wrote. Raises BenchError when it has
        none."""
        from elftools.elf.elffile import ELFFile  # not at the top: gdb's own Python has no pyelftools

        with path.open("rb") as file:
            elf = ELFFile(file)
            if elf.get_section_by_name(_TABLE) is None:
                raise BenchError(f"{path} has no symbols", remedy="give a vmlinux that is not stripped")
            code = {index for index, section in enumerate(elf.iter_sections()) if section["sh_flags"] & _SHF_EXECINSTR}
            return cls(
                # Assembler code often has labels that are not declared to be functions.
                Symbol(name, address, kind == _STT_FUNC or (kind == _STT_NOTYPE and section in code), size=size)
                for name, kind, section, address, size in symbols(elf, _TABLE)
                if kind <= _STT_FUNC and not name.startswith("$")
            )

    def address(self, name: str) -> int | None:
        """The address of `name`; None when there is no such symbol."""
        symbol = self._by_name.get(name)
        return symbol.address if symbol else None

    def function_at(self, address: int) -> Symbol | None:
        """The function that covers `address`, or None. A function of unknown size extends to the next one."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        function = self._functions[index]
        if function.name in _ENDS:
            return None
        return function if not function.size or address < function.address + function.size else None

    def frame(self, address: int, *, returns: bool) -> Frame:
        """The stack frame at `address`. With `returns` it is a return address, and the function is that of the call
        before it: a call that is the last instruction of a function returns to the address behind the function."""
        symbol = self.function_at(address - 1 if returns else address)
        return Frame(address, symbol.name, address - symbol.address) if symbol else Frame(address)
