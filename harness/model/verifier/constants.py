# SPDX-License-Identifier: MIT
"""The LD class: 64 bit constants and maps, and reads of a packet.

Source: check_ld_imm(), check_ld_abs(), kernel/bpf/verifier.c of 4.1.
"""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R6, Mode, Size
from harness.model.verifier.environment import Environment
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_PTR_TO_MAP,
    PTR_TO_CTX,
    UNKNOWN_VALUE,
    Register,
    check_destination,
    check_source,
    reset_caller_saved,
)
from harness.model.verifier.verdict import Refused

# Plain numbers, for reaching a member of an enumeration is slow and this runs for every simulated instruction.
_IMM, _ABS, _IND, _DW = Mode.IMM.value, Mode.ABS.value, Mode.IND.value, Size.DW.value


def check_ld(env: Environment, index: int, insn: Instruction) -> int:
    """Checks one instruction of the class; returns the index of the next."""
    if insn.mode == _IMM:
        check_imm(env, index, insn)
        return index + 2
    if insn.mode not in (_ABS, _IND):
        raise Refused(Rule.LD_MODE, "EINVAL", "invalid BPF_LD mode")
    check_packet(env, insn)
    return index + 1


def check_imm(env: Environment, index: int, insn: Instruction) -> None:
    """Checks a 64 bit constant. It is treated as an unknown number; a map is known. A path that enters at the second
    half, which has another size, ends here."""
    if insn.size != _DW:
        raise Refused(Rule.LD_IMM_SIZE, "EINVAL", "invalid BPF_LD_IMM insn")
    if insn.off:
        raise Refused(Rule.LD_IMM_FIELDS, "EINVAL", "BPF_LD_IMM64 uses reserved fields")
    registers = env.state.registers
    check_destination(registers, insn.dst)
    if shape := env.maps.get(index):
        registers[insn.dst] = Register(CONST_PTR_TO_MAP, map=shape)


def check_packet(env: Environment, insn: Instruction) -> None:
    """Checks LD_ABS and LD_IND, which are like calls: they take the context from R6 and overwrite R1 to R5."""
    if not env.context.kind.packet:
        raise Refused(Rule.NO_PACKET, "EINVAL", "BPF_LD_ABS|IND instructions not allowed for this program type")
    indirect = insn.mode == _IND
    if insn.dst or insn.off or insn.size == _DW or (insn.src and not indirect):
        raise Refused(Rule.LD_ABS_FIELDS, "EINVAL", "BPF_LD_ABS uses reserved fields")
    registers = env.state.registers
    if check_source(registers, R6).type is not PTR_TO_CTX:
        raise Refused(Rule.NO_CONTEXT_IN_R6, "EINVAL", "at the time of BPF_LD_ABS|IND R6 != pointer to skb")
    if indirect:
        check_source(registers, insn.src)
    reset_caller_saved(registers)
    registers[R0] = registers[R0].overwritten(UNKNOWN_VALUE)
