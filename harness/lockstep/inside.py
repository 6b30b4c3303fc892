# SPDX-License-Identifier: MIT
"""Instructions as a kernel has them inside, against those that it was given, or that it shows."""

from __future__ import annotations

from harness.isa.instruction import SIZE
from harness.isa.opcodes import LD_IMM64, Class, Coded, Jump

INTERPRETERS = ("___bpf_prog_run", "__bpf_prog_run")
"""The function that interprets programs: since 4.16 (1ea47e01ad6e) and before."""
CALL = Class.JMP | Jump.CALL
EXIT = Class.JMP | Jump.EXIT
# Opcodes that only exist inside the kernel, include/linux/filter.h; BPF_OBJ_GET_INFO_BY_FD shows the ones on the right.
TAIL_CALL, CALL_ARGS = Class.JMP | 0xF0, Class.JMP | 0xE0
PRIVATE = bytes.fromhex("654c030c25")
"""add r9, gs:[...], by which x86_64's JIT makes the address of a private stack: emit_priv_frame_ptr()
(arch/x86/net/bpf_jit_comp.c), since 6.13. A function with this code has R10 in r9."""
_PROBE_MEM, _MODE = 0x20, 0x60
_SHOWN = {TAIL_CALL: CALL, CALL_ARGS: CALL}


def same_code(shown: bytes, inside: bytes) -> bool:
    """Returns whether an instruction is what became of the one given or shown, or that one itself, read from the
    kernel's memory before; constants that are addresses inside are left out."""
    opcode, told = _SHOWN.get(inside[0], inside[0]), _SHOWN.get(shown[0], shown[0])
    if told in (CALL, LD_IMM64):
        return opcode == told
    if Coded(shown[0]).opcode_class is Class.LDX:
        # The verifier notes the kind of the pointer in the constant, which a load has no other use for: 9bac3d6d548e
        # (4.1) to 3df126f35f88 (4.9).
        shown, inside = shown[:4], inside[:4]
    return opcode in (shown[0], shown[0] & ~_MODE | _PROBE_MEM) and shown[1:SIZE] == inside[1:SIZE]


def starts(code: bytes) -> list[int]:
    """Returns the numbers of all instructions, without the second halves of 64 bit constants."""
    halves = {number + 1 for number in range(len(code) // SIZE) if code[SIZE * number] == LD_IMM64}
    return [number for number in range(len(code) // SIZE) if number not in halves]
