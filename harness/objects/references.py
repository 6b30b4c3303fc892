# SPDX-License-Identifier: MIT
"""What instructions refer to by relocations: maps, data, functions, and what a kernel defines.

Sources: bpf_program__record_reloc(), tools/lib/bpf/libbpf.c (7.2); Documentation/bpf/llvm_reloc.rst.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.isa.instruction import SIZE, Instruction
from harness.isa.opcodes import LD_IMM64, Class, Jump
from harness.objects.elf import Elf, Relocation, Section, Symbol
from harness.objects.maps import ARENA, BTF, ONE_A_SECTION, OPERATIONS, is_legacy
from harness.objects.object_file import Extern
from harness.objects.reasons import Reason, Refused
from harness.objects.sections import is_data

R_BPF_NONE, R_BPF_64_64, R_BPF_64_32 = 0, 1, 10
CALL = Class.JMP | Jump.CALL
PSEUDO_CALL, PSEUDO_KFUNC_CALL = 1, 2
"""BPF_PSEUDO_CALL and BPF_PSEUDO_KFUNC_CALL: what `src` of a call says it is of."""


@dataclass(frozen=True)
class ToMap:
    """A map, or with `offset` a byte of the value of its first element."""

    name: str
    offset: int | None = None


@dataclass(frozen=True)
class ToFunction:
    """The instruction of a section that is called, or whose address is taken."""

    section: int
    start: int


@dataclass(frozen=True)
class ToKernel:
    """What the kernel defines."""

    extern: Extern


Reference = ToMap | ToFunction | ToKernel


class References:
    """Those of one object."""

    def __init__(self, elf: Elf, externs: Mapping[str, Extern]) -> None:
        self._elf = elf
        self._externs = externs

    def of(self, section: Section, code: Mapping[int, Instruction]) -> dict[int, Reference | Refused]:
        """By the instruction of the section, what it refers to, or why that is nothing that can be loaded.

        Refused when the relocations as such are none; `code` has the instructions of the section's functions.
        """
        found: dict[int, Reference | Refused] = {}
        if section.index in self._elf.with_addends:
            raise Refused(
                Reason.RELOCATION_WITH_ADDEND,
                f"section {section.name} has relocations with addends, which BPF does not use",
                section=section.name,
            )
        for relocation in self._elf.relocations.get(section.index, ()):
            if relocation.type == R_BPF_NONE:
                continue
            index, rest = divmod(relocation.offset, SIZE)
            if rest or index not in code:
                raise Refused(
                    Reason.BAD_RELOCATION,
                    f"a relocation at byte {relocation.offset} of section {section.name}, where no instruction begins",
                    section=section.name,
                )
            try:
                found[index] = self._reference(relocation, code[index])
            except Refused as error:
                found[index] = error
        return found

    def _reference(self, relocation: Relocation, instruction: Instruction) -> Reference:
        symbol = relocation.symbol
        home = self._home(symbol)
        if instruction.code == CALL and relocation.type in (R_BPF_64_32, R_BPF_64_64):
            if home is not None and home.executable:
                start, rest = divmod(symbol.value, SIZE)
                if not rest:
                    return ToFunction(home.index, start + instruction.imm + 1)
        elif instruction.code == LD_IMM64 and relocation.type == R_BPF_64_64:
            if home is not None:
                return self._constant(symbol, home, instruction)
        else:
            raise Refused(
                Reason.BAD_RELOCATION,
                f"refers to {self._name(symbol, home)} by a relocation of type {relocation.type},"
                f" which an instruction {instruction.code:#04x} does not have",
            )
        if home is None and (extern := self._externs.get(symbol.name)):
            return ToMap(".kconfig", extern.offset) if extern.offset is not None else ToKernel(extern)
        reason = Reason.UNDEFINED_SYMBOL if home is None else Reason.BAD_CALL
        what = f"refers to {self._name(symbol, home)} (relocation type {relocation.type})"
        raise Refused(reason, what, remedy="define it, or inline it" if home is None else "")

    def _constant(self, symbol: Symbol, home: Section, instruction: Instruction) -> Reference:
        offset = symbol.value + instruction.imm
        if is_legacy(home.name) or home.name in (BTF, *OPERATIONS):
            if symbol.name and symbol.kind != "SECTION":
                return ToMap(symbol.name)
            at = (one for one in self._elf.within(home.index) if one.value == offset and one.kind != "SECTION")
            if there := next((one for one in at if one.name), None):
                return ToMap(there.name)
            raise Refused(
                Reason.UNNAMED_MAP, "refers to a map without a name", remedy="do not make it static, or keep symbols"
            )
        if home.name.startswith(ONE_A_SECTION):
            return ToMap(home.name.removeprefix(ONE_A_SECTION))
        if is_data(home.name) or home.name == ARENA:
            return ToMap(home.name, offset & 0xFFFFFFFF)
        if home.executable:
            start, rest = divmod(offset, SIZE)
            if not rest:
                return ToFunction(home.index, start)
        raise Refused(Reason.UNSUPPORTED_REFERENCE, f"refers to {self._name(symbol, home)}")

    def _home(self, symbol: Symbol) -> Section | None:
        if symbol.section is None or symbol.section >= len(self._elf.sections):
            return None
        return self._elf.sections[symbol.section]

    @staticmethod
    def _name(symbol: Symbol, home: Section | None) -> str:
        what = symbol.name or (home.name if home else "something without a name")
        return f"{what}, {f'in section {home.name}' if home else 'defined nowhere'}"
