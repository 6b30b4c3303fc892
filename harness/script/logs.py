# SPDX-License-Identifier: MIT
"""Verifier's logs that nobody may ask for, because the kernel can die while it writes them.

The log of 4.1 shows every instruction it comes to, and takes the word for an operation it does not know from behind a
table of words: whatever is there, is followed as a pointer. Seen on 4.1.52/arm64, which panics; bpf_alu_string and
bpf_jmp_string of print_bpf_insn(), kernel/bpf/verifier.c. In later releases the tables have a place for each operation
(harness.abi.bpf.NAMES_ALL_IN_LOG).

Whoever carries out or predicts a load asks here, so that no script, whoever wrote it, costs a guest its life.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.abi import bpf
from harness.isa.instruction import Instruction, decode
from harness.isa.opcodes import Alu, Class, Jump
from harness.release import release
from harness.script.operations import Buffer, LoadProgram, RawBpf
from harness.script.outcome import Withheld
from harness.script.structures import Filled

_LAST_NAMED = {Class.ALU: Alu.END, Class.ALU64: Alu.END, Class.JMP: Jump.EXIT}


def withheld(operation: LoadProgram | RawBpf, era: str) -> Withheld | None:
    """Why the log that `operation` asks for is not asked for in `era`; None when it may be, or nobody wants one."""
    if not era or release(era) >= bpf.NAMES_ALL_IN_LOG or not _wants_log(operation):
        return None
    nameless = next(filter(_is_nameless, _instructions(operation)), None)
    if nameless is None:
        return None
    return Withheld(f"{era} has no word for operation {nameless.code:02x} in its log, and may die looking for one")


def _wants_log(operation: LoadProgram | RawBpf) -> bool:
    if isinstance(operation, LoadProgram):
        return operation.log_level != 0
    level = Filled(operation.parts, operation.nbytes).number(bpf.PROG_LOAD.fields["log_level"])
    return operation.command == bpf.Command.PROG_LOAD and level != 0


def _instructions(operation: LoadProgram | RawBpf) -> Iterable[Instruction]:
    if isinstance(operation, LoadProgram):
        return operation.program.instructions
    code = Filled(operation.parts, operation.nbytes).named(bpf.PROG_LOAD.fields["insns"])
    return decode(code.content[: len(code.content) // 8 * 8]) if isinstance(code, Buffer) else ()


def _is_nameless(instruction: Instruction) -> bool:
    last = _LAST_NAMED.get(instruction.opcode_class)
    return last is not None and instruction.operation > last
