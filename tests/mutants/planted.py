# SPDX-License-Identifier: MIT
"""Mistakes in single instructions of the model: those that kernels once had, with their commits, and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.isa.instruction import Instruction
from harness.model.instructions.table import Table
from harness.model.state import Handler, State
from harness.model.value import M32, M64, Value

Wrong = Callable[[int, int, int], int]
"""Gives what a register gets, from what it had, what the other operand had, and what it should get."""
_HIGH = M64 ^ M32


@dataclass(frozen=True)
class Mutant:
    """A mistake: by instruction, how it is carried out, given the right way. `commit` fixed it where it was one."""

    name: str
    wrong: Mapping[str, Callable[[Handler], Handler]]
    commit: str = ""

    def table(self, right: Table) -> Table:
        """Returns the table of instructions with the mistake."""
        return {**right, **{name: change(right[name]) for name, change in self.wrong.items() if name in right}}


def _result(wrong: Wrong) -> Callable[[Handler], Handler]:
    """The result is another one, where all numbers are known."""

    def change(right: Handler) -> Handler:
        def execute(state: State, instruction: Instruction) -> Value | None:
            registers, dst = state.registers, instruction.dst
            before = registers[dst]
            operand = registers[instruction.src] if instruction.code & 8 else instruction.imm & M64
            ended = right(state, instruction)
            after = registers[dst]
            if isinstance(before, int) and isinstance(operand, int) and isinstance(after, int):
                registers[dst] = wrong(before, operand, after) & M64
            return ended

        return execute

    return change


def _loaded(wrong: Callable[[int], int]) -> Callable[[Handler], Handler]:
    """What is loaded is another number, where it is known."""

    def change(right: Handler) -> Handler:
        def execute(state: State, instruction: Instruction) -> Value | None:
            ended = right(state, instruction)
            loaded = state.registers[instruction.dst]
            if isinstance(loaded, int):
                state.registers[instruction.dst] = wrong(loaded) & M64
            return ended

        return execute

    return change


def _operand(wrong: Callable[[int], int], *, stays: bool = False) -> Callable[[Handler], Handler]:
    """The second operand is another one; with `stays` also afterwards."""

    def change(right: Handler) -> Handler:
        def execute(state: State, instruction: Instruction) -> Value | None:
            registers, src = state.registers, instruction.src
            before = registers[src]
            if not isinstance(before, int) or src == instruction.dst:
                return right(state, instruction)
            registers[src] = wrong(before)
            ended = right(state, instruction)
            if not stays:
                registers[src] = before
            return ended

        return execute

    return change


def _all(names: str, change: Callable[[Handler], Handler]) -> dict[str, Callable[[Handler], Handler]]:
    return dict.fromkeys(names.split(), change)


def _nothing(_: Handler) -> Handler:
    return lambda _state, _instruction: None


_KEEPS_UPPER = _result(lambda before, _, after: before & _HIGH | after)

MUTANTS = (
    Mutant(
        "DIV and MOD use the low half of the divisor",
        _all("div64_reg", _operand(lambda n: n & M32 or 1)),
        "876a7ae65b86",
    ),
    Mutant("MOD uses the low half of the divisor", _all("mod64_reg", _operand(lambda n: n & M32 or 1)), "876a7ae65b86"),
    Mutant("LE16 and LE32 do not clear upper bits", _all("le", _result(lambda before, *_: before)), "d63903bbc30c"),
    Mutant(
        "BE16 leaves bits 16 to 31",
        _all("be", _result(lambda b, _, a: a | b & 0xFFFF0000 if a < 1 << 16 else a)),
        "d63903bbc30c",
    ),
    Mutant(
        "DIV by zero leaves its operand",
        _all("div64_reg div32_reg", _result(lambda b, o, a: a if o & M32 else b)),
        "251599e1d690",
    ),
    Mutant(
        "DIV32 and MOD32 truncate the divisor for good",
        _all("div32_reg mod32_reg", _operand(lambda n: n & M32, stays=True)),
        "e88b2c6e5a4d",
    ),
    Mutant(
        "MOD32 by zero does not zero-extend",
        _all("mod32_reg", _result(lambda b, o, a: a if o & M32 else b)),
        "9b00f1b78809",
    ),
    Mutant("ARSH32 gives 0", _all("arsh32_imm arsh32_reg", _result(lambda *_: 0))),
    Mutant("RSH32 does not truncate first", _all("rsh32_imm", _result(lambda b, o, _: b >> (o & 31))), "b799207e1e18"),
    Mutant("ADD32 keeps the upper half", _all("add32_reg add32_imm", _KEEPS_UPPER)),
    Mutant("MOV32 keeps the upper half", _all("mov32_reg", _KEEPS_UPPER)),
    Mutant("XOR32 keeps the upper half", _all("xor32_reg xor32_imm", _KEEPS_UPPER)),
    Mutant("NEG32 keeps the upper half", _all("neg32", _KEEPS_UPPER)),
    Mutant("LSH32 keeps the upper half", _all("lsh32_imm lsh32_reg", _KEEPS_UPPER)),
    Mutant("MUL32 does not truncate", _all("mul32_imm mul32_reg", _result(lambda b, o, _: b * o))),
    Mutant("ARSH64 is logical", _all("arsh64_imm arsh64_reg", _result(lambda b, o, _: b >> (o & 63)))),
    Mutant("XOR64 does not sign-extend constants", _all("xor64_imm", _result(lambda b, o, _: b ^ o & M32))),
    Mutant("AND64 does not sign-extend constants", _all("and64_imm", _result(lambda b, o, _: b & o & M32))),
    Mutant("ADD64 does not sign-extend constants", _all("add64_imm", _result(lambda b, o, _: b + (o & M32)))),
    Mutant("OR64 is XOR", _all("or64_reg or64_imm", _result(lambda b, o, _: b ^ o))),
    Mutant("SUB64 is reversed", _all("sub64_reg", _result(lambda b, o, _: o - b))),
    Mutant("MOV64 does not sign-extend constants", _all("mov64_imm", _result(lambda _, o, __: o & M32))),
    Mutant("DIV64 rounds up", _all("div64_imm", _result(lambda b, o, a: a + bool(b % o) if o else a))),
    Mutant(
        "a shift by the width and more gives 0",
        _all("lsh64_reg rsh64_reg", _result(lambda _, o, a: 0 if o > 63 else a)),
    ),
    Mutant("JGT never jumps", _all("jgt_reg jgt_imm", _nothing)),
    Mutant("JSET never jumps", _all("jset_reg jset_imm", _nothing)),
    Mutant("JEQ never jumps", _all("jeq_reg jeq_imm", _nothing)),
    Mutant("JSGT never jumps", _all("jsgt_reg jsgt_imm", _nothing)),
    Mutant("JNE32 never jumps", _all("jne32_reg jne32_imm", _nothing)),
    Mutant("a loaded byte is sign-extended", _all("ldx_b", _loaded(lambda a: a | -256 if a & 0x80 else a))),
    Mutant("a loaded half word is sign-extended", _all("ldx_h", _loaded(lambda a: a | -65536 if a & 0x8000 else a))),
    Mutant("a loaded word is sign-extended", _all("ldx_w", _loaded(lambda a: a | _HIGH if a & 1 << 31 else a))),
    Mutant("a byte is not stored", _all("stx_b", _nothing), "aee194b14dd2"),
    Mutant("the upper half of a stored word is lost", _all("stx_w", _operand(lambda value: value & 0xFFFF))),
    Mutant("a constant half word is not stored", _all("st_h", _nothing)),
    Mutant("an addition in memory is lost", _all("atomic_add_w atomic_add_dw", _nothing)),
)
"""Every one of them; some are in instructions that early releases do not have."""
