# SPDX-License-Identifier: MIT
"""The functions in sections with instructions: programs, and what they call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from harness.isa.instruction import MOST_INSTRUCTIONS, SIZE, Instruction, decode
from harness.objects.elf import Elf, Section, Symbol
from harness.objects.reasons import Reason, Refused
from hil.errors import UserError

TEXT = ".text"


@dataclass(frozen=True)
class Function:
    """`start` counts instructions from the beginning of the section with that index. `hidden`: no other object may call
    it."""

    name: str
    section: int
    start: int
    instructions: tuple[Instruction, ...]
    hidden: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """What tells it apart in its object."""
        return self.section, self.start


def functions(elf: Elf, section: Section) -> tuple[Function, ...]:
    """Those of a section, by their place; Refused when they cannot be such.

    Compilers before clang 7 mark no symbol as a function; a section without any symbol is one program of its name.
    """
    if len(section.content) > MOST_INSTRUCTIONS * SIZE:
        count = len(section.content) // SIZE
        raise Refused(
            Reason.TOO_LARGE,
            f"section {section.name} has {count} instructions",
            section=section.name,
            remedy="no kernel takes so many",
        )
    try:
        code = decode(section.content, big_endian=elf.byte_order == "big")
    except UserError as error:
        raise Refused(
            Reason.BAD_INSTRUCTIONS, f"section {section.name}: {error.what}", section=section.name, remedy=error.remedy
        ) from None
    begun = _symbols(elf, section)
    if not begun:
        return (Function(section.name, section.index, 0, code),)
    ends = section_ends(begun, section)
    found: dict[int, Function] = {}
    for symbol in begun:
        end = ends[symbol.value] if not symbol.size else symbol.value + symbol.size
        if symbol.value % SIZE or end % SIZE or not symbol.value < end <= len(section.content):
            raise Refused(
                Reason.BAD_FUNCTION,
                f"function {symbol.name} is said to be at bytes {symbol.value} to {end} of section {section.name},"
                f" which has {len(section.content)}",
                section=section.name,
            )
        start = symbol.value // SIZE
        if start not in found:
            found[start] = Function(symbol.name, section.index, start, code[start : end // SIZE], symbol.hidden)
    return tuple(found[start] for start in sorted(found))


def section_ends(symbols: Iterable[Symbol], section: Section) -> dict[int, int]:
    """Where what begins at a symbol ends when its size is not said: at the next one, or with the section."""
    places = sorted({symbol.value for symbol in symbols})
    return dict(pairwise((*places, len(section.content))))


def _symbols(elf: Elf, section: Section) -> list[Symbol]:
    here = [symbol for symbol in elf.within(section.index) if symbol.kind in ("FUNC", "NOTYPE") and symbol.name]
    marked = [symbol for symbol in here if symbol.kind == "FUNC"]
    return marked or [symbol for symbol in here if symbol.binding != "LOCAL" and symbol.value < len(section.content)]
