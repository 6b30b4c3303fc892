# SPDX-License-Identifier: MIT
"""Every opcode with the release that introduced it.

An opcode is often more than the byte `code`: a signed division is a division with `off` 1, a call of a program's own
function is a call with `src` 1. A row therefore names the field that selects it. Each row also carries its notation,
from which `harness.isa.text` derives both the assembler and the disassembler.

Sources: include/uapi/linux/bpf.h, kernel/bpf/disasm.c, Documentation/bpf/standardization/instruction-set.rst (6.12);
for 4.1 the notation of print_bpf_insn() in kernel/bpf/verifier.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Alu, Atomic, Class, Coded, Jump, Mode, Pseudo, Size, Source
from harness.release import Release

BASELINE: Release = (4, 1)
"""`since` for opcodes of 4.1; some of them are older."""


@dataclass(frozen=True, slots=True, eq=False)
class Opcode(Coded):
    """One row: `code`, its `name` in this project, its `notation`, the first `since` release that accepts it, and where
    `code` alone does not identify it, the field (`off`, `imm` or `src`) and the value that select the row.

    The notation's placeholders are the fields of an instruction; a field it does not show is 0 in a valid program. Rows
    are compared by identity, which is fast and all that a table needs.
    """

    name: str
    notation: str
    since: Release = BASELINE
    selector: str = ""
    value: int = 0

    @property
    def original(self) -> bool:
        """Returns whether 4.1 has it."""
        return self.since == BASELINE


_OPERATOR = {
    Alu.ADD: "+=",
    Alu.SUB: "-=",
    Alu.MUL: "*=",
    Alu.DIV: "/=",
    Alu.OR: "|=",
    Alu.AND: "&=",
    Alu.LSH: "<<=",
    Alu.RSH: ">>=",
    Alu.MOD: "%=",
    Alu.XOR: "^=",
    Alu.MOV: "=",
    Alu.ARSH: "s>>=",
}

_COMPARISON = {
    Jump.JEQ: "==",
    Jump.JGT: ">",
    Jump.JGE: ">=",
    Jump.JSET: "&",
    Jump.JNE: "!=",
    Jump.JSGT: "s>",
    Jump.JSGE: "s>=",
    Jump.JLT: "<",
    Jump.JLE: "<=",
    Jump.JSLT: "s<",
    Jump.JSLE: "s<=",
}

UNSIGNED_LESS: Release = (4, 14)
"""JLT, JLE, JSLT, JSLE: 92b31a9af73b."""
ARSH32: Release = (5, 0)
"""2dc6b100f928."""
COMPARE_32: Release = (5, 1)
"""JMP32: 092ed0968bb6."""
ATOMICS: Release = (5, 12)
"""5ffa25502b5a and its neighbours."""
CPU_V4: Release = (6, 6)
"""1f9a1ea821ff and its neighbours: sign extension, bswap, signed division, gotol."""
MAY_GOTO: Release = (6, 9)
"""BPF_JCOND: 011832b97b31."""
ORDERED: Release = (6, 15)
"""Load-acquire and store-release, in every size."""
OWN_CALLS: Release = (4, 16)
"""BPF-to-BPF calls: cc8b0b92a169."""
KERNEL_CALLS: Release = (5, 13)
"""kfuncs: e6ac2450d6de."""


def _arithmetic() -> Iterator[Opcode]:
    for kind, suffix, cast, word in ((Class.ALU64, "64", "", "r"), (Class.ALU, "32", "(u32) ", "w")):
        for operation, operator in _OPERATOR.items():
            since = ARSH32 if operation is Alu.ARSH and kind is Class.ALU else BASELINE
            for source, operand in ((Source.K, "{imm}"), (Source.X, "r{src}")):
                name = f"{operation.name.lower()}{suffix}_{'imm' if source is Source.K else 'reg'}"
                code = kind | operation | source
                if operation in (Alu.DIV, Alu.MOD):
                    signed = f"{word}{{dst}} s{operator} {operand.replace('r{', word + '{')}"
                    yield Opcode(code, f"s{name}", signed, CPU_V4, "off", 1)
                if operation is Alu.MOV and source is Source.X:
                    for bits in (8, 16, 32) if kind is Class.ALU64 else (8, 16):
                        extension = f"{word}{{dst}} = (s{bits}){word}{{src}}"
                        yield Opcode(code, f"movsx{suffix}_{bits}", extension, CPU_V4, "off", bits)
                yield Opcode(code, name, f"{cast}r{{dst}} {operator} {cast}{operand}", since)
        yield Opcode(kind | Alu.NEG, f"neg{suffix}", f"{cast}r{{dst}} = -{cast}r{{dst}}")
    yield Opcode(Class.ALU | Alu.END | Source.K, "le", "r{dst} = le{imm} r{dst}")
    yield Opcode(Class.ALU | Alu.END | Source.X, "be", "r{dst} = be{imm} r{dst}")
    yield Opcode(Class.ALU64 | Alu.END | Source.K, "bswap", "r{dst} = bswap{imm} r{dst}", CPU_V4)


def _jumps() -> Iterator[Opcode]:
    for kind, suffix, word, introduced in (
        (Class.JMP, "", "r", BASELINE),
        (Class.JMP32, "32", "w", COMPARE_32),
    ):
        for comparison, operator in _COMPARISON.items():
            since = max(introduced, UNSIGNED_LESS) if comparison >= Jump.JLT else introduced
            name = f"{comparison.name.lower()}{suffix}"
            for source, operand in ((Source.K, "{imm:x}"), (Source.X, word + "{src}")):
                notation = f"if {word}{{dst}} {operator} {operand} goto pc{{off}}"
                yield Opcode(
                    kind | comparison | source, f"{name}_{'imm' if source is Source.K else 'reg'}", notation, since
                )
    yield Opcode(Class.JMP | Jump.JA, "ja", "goto pc{off}")
    yield Opcode(Class.JMP32 | Jump.JA, "gotol", "gotol pc{imm:+}", CPU_V4)
    yield Opcode(Class.JMP | Jump.JCOND, "may_goto", "may_goto pc{off}", MAY_GOTO)
    yield Opcode(Class.JMP | Jump.CALL, "call_local", "call pc{imm:+}", OWN_CALLS, "src", 1)
    yield Opcode(Class.JMP | Jump.CALL, "call_kfunc", "call kernel-function {imm}", KERNEL_CALLS, "src", 2)
    yield Opcode(Class.JMP | Jump.CALL, "call", "call {imm}")
    yield Opcode(Class.JMP | Jump.EXIT, "exit", "exit")


def _memory() -> Iterator[Opcode]:
    for size in Size:
        letter = size.name.lower()
        place = f"*({size.type} *)"
        yield Opcode(Class.LDX | Mode.MEM | size, f"ldx_{letter}", f"r{{dst}} = {place}(r{{src}} {{off}})")
        yield Opcode(Class.ST | Mode.MEM | size, f"st_{letter}", f"{place}(r{{dst}} {{off}}) = {{imm}}")
        yield Opcode(Class.STX | Mode.MEM | size, f"stx_{letter}", f"{place}(r{{dst}} {{off}}) = r{{src}}")
        if size is not Size.DW:
            signed = place.replace("u", "s")
            extending = f"r{{dst}} = {signed}(r{{src}} {{off}})"
            yield Opcode(Class.LDX | Mode.MEMSX | size, f"ldxsx_{letter}", extending, CPU_V4)
            yield Opcode(Class.LD | Mode.ABS | size, f"ld_abs_{letter}", f"r0 = {place}skb[{{imm}}]")
            yield Opcode(Class.LD | Mode.IND | size, f"ld_ind_{letter}", f"r0 = {place}skb[r{{src}} + {{imm}}]")


def _atomics() -> Iterator[Opcode]:
    for size, bits in ((Size.W, ""), (Size.DW, "64")):
        code = Class.STX | Mode.ATOMIC | size
        letter, place = size.name.lower(), f"({size.type} *)(r{{dst}} {{off}})"
        for operation in (Atomic.ADD, Atomic.OR, Atomic.AND, Atomic.XOR):
            word = operation.name.lower()
            plain = f"lock *{place} {_OPERATOR[Alu[operation.name]]} r{{src}}"
            since = BASELINE if operation is Atomic.ADD else ATOMICS
            yield Opcode(code, f"atomic_{word}_{letter}", plain, since, "imm", operation)
            fetching = f"r{{src}} = atomic{bits}_fetch_{word}({place}, r{{src}})"
            fetch = operation | Atomic.FETCH
            yield Opcode(code, f"atomic_fetch_{word}_{letter}", fetching, ATOMICS, "imm", fetch)
        exchange = f"r{{src}} = atomic{bits}_xchg({place}, r{{src}})"
        compare = f"r0 = atomic{bits}_cmpxchg({place}, r0, r{{src}})"
        yield Opcode(code, f"atomic_xchg_{letter}", exchange, ATOMICS, "imm", Atomic.XCHG)
        yield Opcode(code, f"atomic_cmpxchg_{letter}", compare, ATOMICS, "imm", Atomic.CMPXCHG)
    for size in Size:
        code = Class.STX | Mode.ATOMIC | size
        letter, load, store = (
            size.name.lower(),
            f"({size.type} *)(r{{src}} {{off}})",
            f"({size.type} *)(r{{dst}} {{off}})",
        )
        acquire, release = f"r{{dst}} = load_acquire({load})", f"store_release({store}, r{{src}})"
        yield Opcode(code, f"load_acquire_{letter}", acquire, ORDERED, "imm", Atomic.LOAD_ACQUIRE)
        yield Opcode(code, f"store_release_{letter}", release, ORDERED, "imm", Atomic.STORE_RELEASE)


def _constants() -> Iterator[Opcode]:
    for pseudo, words, since in (
        (Pseudo.CONSTANT, "{imm64:x} ll", BASELINE),
        (Pseudo.MAP_FD, "map_fd {imm}", BASELINE),
        (Pseudo.MAP_VALUE, "map_value fd {imm} off {next}", (5, 2)),
        (Pseudo.BTF_ID, "btf_id {imm}", (5, 9)),
        (Pseudo.FUNCTION, "function pc{imm:+}", (5, 13)),
        (Pseudo.MAP_INDEX, "map_index {imm}", (5, 14)),
        (Pseudo.MAP_INDEX_VALUE, "map_index_value {imm} off {next}", (5, 14)),
    ):
        name = "ld_imm64" if pseudo is Pseudo.CONSTANT else f"ld_{pseudo.name.lower()}"
        yield Opcode(LD_IMM64, name, f"r{{dst}} = {words}", since, "src", pseudo)


OPCODES: tuple[Opcode, ...] = (*_arithmetic(), *_jumps(), *_memory(), *_atomics(), *_constants())
"""Every opcode. Of the rows with one `code` those with a selecting field come first, so that the first that matches is
the right one."""

_BY_CODE: dict[int, list[Opcode]] = {}
for _opcode in OPCODES:
    _BY_CODE.setdefault(_opcode.code, []).append(_opcode)
_ALONE = {code: rows[0] for code, rows in _BY_CODE.items() if len(rows) == 1 and not rows[0].selector}
"""The rows that `code` alone identifies."""


def find(instruction: Instruction) -> Opcode | None:
    """Returns the row of `instruction`, None when no release known here defines it."""
    code = instruction.code
    if (alone := _ALONE.get(code)) is not None:
        return alone
    for opcode in _BY_CODE.get(code, ()):
        if not opcode.selector or getattr(instruction, opcode.selector) == opcode.value:
            return opcode
    return None
