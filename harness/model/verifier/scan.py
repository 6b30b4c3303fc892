# SPDX-License-Identifier: MIT
"""First pass, in order of the instructions: fields of loads, and maps behind descriptors.

Source: replace_map_fd_with_map_ptr(), kernel/bpf/verifier.c of 4.1.
"""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Mode, Pseudo
from harness.model.verifier.context import MapShape
from harness.model.verifier.environment import Environment
from harness.model.verifier.rules import Rule
from harness.model.verifier.verdict import Refused

# Plain numbers, for reaching a member of an enumeration is slow and this runs for every instruction.
_LDX, _MEM, _MAP_FD = Class.LDX.value, Mode.MEM.value, Pseudo.MAP_FD.value


def resolve_maps(env: Environment) -> None:
    """Fills `env.maps`. Both halves of a 64 bit constant are stepped over together, whatever jumps to the second."""
    program = env.program
    index, count = 0, len(program)
    used: set[MapShape] = set()
    while index < count:
        env.at = index
        insn = program[index]
        if insn.opcode_class == _LDX:
            check_ldx(insn)
        if insn.code == LD_IMM64:
            check_second_half(program[index + 1] if index + 1 < count else None)
            check_pseudo(insn)
            if insn.src == _MAP_FD:
                env.maps[index] = find_map(env, insn.imm)
                used.add(env.maps[index])
                check_map_count(env, used)
            index += 1
        index += 1


def check_ldx(insn: Instruction) -> None:
    """Checks that a load has the only mode and no constant; the rest of its fields is checked when a path reaches
    it."""
    if insn.mode != _MEM or insn.imm:
        raise Refused(Rule.LDX_FIELDS, "EINVAL", "BPF_LDX uses reserved fields")


def check_second_half(insn: Instruction | None) -> None:
    """Checks that the second half exists and has no field but `imm`, which is free."""
    if insn is None or insn.code or insn.dst or insn.src or insn.off:
        raise Refused(Rule.SECOND_HALF, "EINVAL", "invalid bpf_ld_imm64 insn")


def check_pseudo(insn: Instruction) -> None:
    """Checks that a constant stands for itself or for a map."""
    if insn.src not in (Pseudo.CONSTANT, Pseudo.MAP_FD):
        raise Refused(Rule.PSEUDO, "EINVAL", "unrecognized bpf_ld_imm64 insn")


def find_map(env: Environment, fd: int) -> MapShape:
    """bpf_map_get(): refuses with EBADF for a closed descriptor, EINVAL for one of another kind."""
    found = env.context.find_map(fd)
    if isinstance(found, str):
        raise Refused(Rule.NO_MAP, found, f"fd {fd} is not pointing to valid bpf_map")
    return found


def check_map_count(env: Environment, used: set[MapShape]) -> None:
    """Refuses more different maps than the limit, without a message."""
    if len(used) > env.context.limits.maps:
        raise Refused(Rule.MAP_COUNT, "E2BIG")
