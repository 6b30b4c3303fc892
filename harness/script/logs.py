# SPDX-License-Identifier: MIT
"""Logs of the verifier that scripts may not ask for, because the kernel can crash while it writes them.

The log of 4.1 shows every instruction it comes to, and takes the name of an operation it does not know from beyond the
end of a table of names: whatever is there is followed as a pointer. Seen on 4.1.52/arm64, which panics; bpf_alu_string
and bpf_jmp_string of print_bpf_insn(), kernel/bpf/verifier.c. In later releases the tables have a place for each
operation (harness.abi.bpf.NAMES_ALL_IN_LOG).

Executors and the model ask here before a load, so that no script crashes a guest this way.
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
    """Returns why the log that `operation` asks for is withheld in `era`; None when it is not, or is not asked for."""
    if not era or release(era) >= bpf.NAMES_ALL_IN_LOG or not _wants_log(operation):
        return None
    nameless = next(filter(_is_nameless, _instructions(operation)), None)
    if nameless is None:
        return None
    unnamed = f"operation {nameless.code:02x}"
    return Withheld(f"the log of {era} has no name for {unnamed}, and the kernel may crash looking for one")


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
