# SPDX-License-Identifier: MIT
"""What later verifiers check in instructions before any path is simulated.

Sources: bpf_opcode_in_insntable(), resolve_pseudo_ldimm64(), check_subprogs(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from harness.isa.instruction import Instruction
from harness.isa.notation import hidden_fields
from harness.isa.opcodes import LD_IMM64, REGISTERS, Alu, Class, Jump, Pseudo, Source
from harness.isa.table import OPCODES, Opcode, find
from harness.model.verifier.later.opcode_lowering import STAND_INS
from harness.release import Release

_BYTE_ORDER = frozenset({Class.ALU | Alu.END | Source.K, Class.ALU | Alu.END | Source.X, Class.ALU64 | Alu.END})
_JMP = Class.JMP.value
COMPUTING = frozenset({Class.ALU.value, Class.ALU64.value, Class.JMP.value, Class.JMP32.value})
"""Classes of instructions whose fields are checked where they are simulated, until that changes."""
_NO_JUMPS = frozenset({Jump.CALL.value, Jump.EXIT.value})


@cache
def strange_opcodes(release: Release, early: frozenset[int]) -> Mapping[int, tuple[Opcode, ...]]:
    """Returns the opcodes that the release has, or accepts (those with the codes in `early`), and of which 4.1 has no
    counterpart; by code."""
    stood_in = {*STAND_INS, "call_local"}
    strange: dict[int, tuple[Opcode, ...]] = {}
    for opcode in OPCODES:
        unlike = not opcode.original and opcode.name not in stood_in
        if opcode.code in early if opcode.since > release else unlike:
            strange[opcode.code] = (*strange.get(opcode.code, ()), opcode)
    return strange


def first_halves(program: Sequence[Instruction]) -> Iterator[tuple[int, Instruction]]:
    """Yields every instruction with its index; of a 64 bit constant the first half only."""
    second = False
    for index, insn in enumerate(program):
        if second:
            second = False
        else:
            yield index, insn
            second = insn.code == LD_IMM64


def unknown_opcode(halves: Iterable[tuple[int, Instruction]], release: Release) -> int | None:
    """Returns the first of these instructions with an undefined opcode: it is refused by the scan, which also resolves
    maps."""
    known = known_codes(release)
    return next((index for index, insn in halves if insn.code not in known), None)


def set_field(halves: Iterable[tuple[int, Instruction]]) -> int | None:
    """Returns the first of these instructions, all of them known, that computes or jumps and has a value in a field
    that its opcode does not use. Calls of the kernel's functions are left out, for which other things come first."""
    for index, insn in halves:
        opcode = find(insn) if insn.opcode_class in COMPUTING else None
        if opcode is not None and opcode.name != "call_kfunc" and hidden_fields(opcode, insn):
            return index
    return None


@cache
def known_codes(release: Release) -> frozenset[int]:
    return frozenset(opcode.code for opcode in OPCODES if opcode.since <= release)


def oddity(program: Sequence[Instruction], release: Release, targets: Sequence[tuple[int, int]]) -> str:
    """Returns what some later verifier refuses without simulating it (all with EINVAL), "" for nothing: reserved fields
    that are set, registers that do not exist, a jump (one of `targets`) into a 64 bit constant."""
    return next((what for _, what in oddities_of(program, release, targets)), "")


def oddities_of(
    program: Sequence[Instruction], release: Release, targets: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, str]]:
    """Yields all of these, each with the instruction at which it is found."""
    halves = set()
    for index, insn in first_halves(program):
        opcode = find(insn)
        if opcode is None or opcode.since > release:
            yield index, f"instruction {index} has an operation the release does not know"
            continue
        if insn.dst >= REGISTERS or insn.src >= REGISTERS:
            yield index, f"instruction {index} names a register that does not exist"
        strange = bool(hidden_fields(opcode, insn)) or (insn.code in _BYTE_ORDER and insn.imm not in (16, 32, 64))
        if insn.code == LD_IMM64:
            halves.add(index + 1)
            following = program[index + 1].imm if index + 1 < len(program) else 0
            strange = strange or (insn.src == Pseudo.MAP_FD and following != 0)
        if strange:
            yield index, f"instruction {index} has a value in a reserved field"
    for index, target in targets:
        if target in halves:
            yield target, f"instruction {index} jumps into a 64 bit constant"


def jumps(program: Sequence[Instruction]) -> Iterator[tuple[int, int]]:
    """Yields every jump's index with the index it leads to, in opcodes of 4.1."""
    for index, insn in first_halves(program):
        if insn.opcode_class == _JMP and insn.operation not in _NO_JUMPS:
            yield index, index + insn.off + 1
