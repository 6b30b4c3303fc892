# SPDX-License-Identifier: MIT
"""Arithmetic: check_alu_op(), kernel/bpf/verifier.c of 4.1.

Nothing is computed. A pointer that is added to becomes a plain number, except R10 plus a constant.
Later verifiers know more: `harness.model.verifier.later.pointers`.
"""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Source
from harness.model.verifier.environment import Environment
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    FRAME_PTR,
    PTR_TO_STACK,
    UNKNOWN,
    Register,
    check_destination,
    check_source,
    constant,
    plain,
)
from harness.model.verifier.verdict import Refused

# Plain numbers, for reaching a member of an enumeration is slow and this runs for every simulated instruction.
_X, _ALU64 = Source.X.value, Class.ALU64.value
_ADD, _DIV, _LSH, _RSH = Alu.ADD.value, Alu.DIV.value, Alu.LSH.value, Alu.RSH.value
_NEG, _MOD, _MOV, _ARSH, _END = Alu.NEG.value, Alu.MOD.value, Alu.MOV.value, Alu.ARSH.value, Alu.END.value


def check_alu(env: Environment, index: int, insn: Instruction) -> int:
    """Checks one arithmetic instruction; returns the index of the next."""
    operation = insn.operation
    if operation == _MOV:
        check_mov(env, insn)
    elif operation in (_END, _NEG):
        check_unary(env, insn, operation)
    elif operation > _END:
        raise Refused(Rule.ALU_OPCODE, "EINVAL", f"invalid BPF_ALU opcode {operation:x}")
    else:
        check_binary(env, insn, operation)
    return index + 1


def check_unary(env: Environment, insn: Instruction, operation: int) -> None:
    """Checks negation and byte order."""
    registers = env.state.registers
    if operation == _NEG:
        if insn.source == _X or insn.src or insn.off or insn.imm:
            raise Refused(Rule.NEG_FIELDS, "EINVAL", "BPF_NEG uses reserved fields")
    elif insn.src or insn.off or insn.imm not in (16, 32, 64) or insn.opcode_class == _ALU64:
        raise Refused(Rule.END_FIELDS, "EINVAL", "BPF_END uses reserved fields")
    check_source(registers, insn.dst)
    check_destination(registers, insn.dst)


def check_mov(env: Environment, insn: Instruction) -> None:
    """Checks a move. A copy keeps the type; a constant is remembered with its sign, also by the 32 bit move, which is
    wrong there (CVE-2017-16995). The destination is marked before the copy, so that 4.1 loses in `r1 = r1` the type of
    r1.
    """
    registers = env.state.registers
    if insn.source == _X:
        if insn.imm or insn.off:
            raise Refused(Rule.MOV_FIELDS, "EINVAL", "BPF_MOV uses reserved fields")
        before = check_source(registers, insn.src)
        check_destination(registers, insn.dst)
        copied = env.hooks.copied(before, registers[insn.src])
        registers[insn.dst] = copied if insn.opcode_class == _ALU64 else UNKNOWN
    else:
        if insn.src or insn.off:
            raise Refused(Rule.MOV_FIELDS, "EINVAL", "BPF_MOV uses reserved fields")
        check_destination(registers, insn.dst)
        registers[insn.dst] = constant(insn.imm)


def copied(before: Register, marked: Register) -> Register:
    """Returns the register as it is after the destination was marked."""
    return marked


def check_binary(env: Environment, insn: Instruction, operation: int) -> None:
    """Checks all other operations."""
    registers = env.state.registers
    constant = insn.source != _X
    if insn.off or (insn.src if constant else insn.imm):
        raise Refused(Rule.ALU_FIELDS, "EINVAL", "BPF_ALU uses reserved fields")
    if not constant:
        check_source(registers, insn.src)
    before = check_source(registers, insn.dst)
    wide = insn.opcode_class == _ALU64
    if constant:
        check_divisor(insn, operation)
    check_arsh(operation, wide)
    if constant:
        check_shift(insn, operation, 64 if wide else 32)
    source = registers[insn.src]
    check_destination(registers, insn.dst)
    env.hooks.check_arithmetic(insn, before, source)
    moved = env.hooks.moved(insn, before, source)
    if moved is not None:
        registers[insn.dst] = moved


def moved(insn: Instruction, dst: Register, src: Register) -> Register | None:
    """Returns the pointer that arithmetic gives: R10, or a copy of it, plus a constant; None for anything else."""
    if insn.operation == _ADD and insn.opcode_class == _ALU64 and insn.source != _X and dst.type is FRAME_PTR:
        return plain(PTR_TO_STACK, insn.imm)
    return None


def any_arithmetic(insn: Instruction, dst: Register, src: Register) -> None:
    """Allows any operands."""


def check_divisor(insn: Instruction, operation: int) -> None:
    """Refuses a constant divisor of 0; a divisor in a register is checked when the program runs."""
    if operation in (_MOD, _DIV) and insn.imm == 0:
        raise Refused(Rule.DIVISOR, "EINVAL", "div by zero")


def check_arsh(operation: int, wide: bool) -> None:
    """Refuses 32 bit arithmetic shifts, which the interpreter does not have before 5.0."""
    if operation == _ARSH and not wide:
        raise Refused(Rule.ARSH32, "EINVAL", "BPF_ARSH not supported for 32 bit ALU")


def check_shift(insn: Instruction, operation: int, bits: int) -> None:
    """Refuses a constant count of the width or more; a count in a register is not checked."""
    if operation in (_LSH, _RSH, _ARSH) and not 0 <= insn.imm < bits:
        raise Refused(Rule.SHIFT, "EINVAL", f"invalid shift {insn.imm}")
