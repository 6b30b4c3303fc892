# SPDX-License-Identifier: MIT
"""The self-test of a lane: a program whose every register, and every byte of stack that it writes, is known."""

from __future__ import annotations

import logging

from harness.isa.assemble import (
    DW,
    add64_reg,
    exit_,
    ja,
    jne_imm,
    ld_imm64,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    stx,
    sub64_imm,
    xor64_reg,
)
from harness.isa.opcodes import R0, R1, R2, R6, R9, R10
from harness.lockstep.checking import Checked, check
from harness.lockstep.recording import LockstepLane
from harness.model.rules import JitFault
from harness.script.operations import LoadProgram, ProgramType, Ref, RunSocketFilter, Script
from hil.errors import BenchError

_PATTERN = 0x1122_3344_5566_7788
_ROUNDS = 3
# A constant of its own in each register, their sums on the stack and back, a loop's worth of both ways of a jump.
_KNOWN = program(
    *(ld_imm64(number, _PATTERN * (number + 1) % (1 << 64)) for number in range(R1, R9 + 1)),
    mov64_imm(R0, -1),
    *(
        (stx(DW, R10, -8 * number, number), ldx(DW, R0, R10, -8 * number), xor64_reg(number, R0), add64_reg(R2, R0))
        for number in range(R6, R9 + 1)
    ),
    *((mov64_imm(R1, taken), jne_imm(R1, 0, 1), sub64_imm(R2, 1)) for taken in range(_ROUNDS)),
    ja(0),
    mov64_reg(R0, R2),
    exit_(),
)
_SCRIPT = Script(
    "lockstep-self-test",
    "every register is known",
    (LoadProgram("known", ProgramType.SOCKET_FILTER, _KNOWN), RunSocketFilter(Ref("known"), b"\0" * 64)),
)
_LEAST_VALUES = 250
"""Of about 280 registers in the program's steps; fewer mean that the test compared something else."""
_TIMES = 3
"""The attempts on a lane whose JIT has a known error, by which any interrupt may write the stack of a program."""
_log = logging.getLogger(__name__)


def self_test(lane: LockstepLane) -> Checked:
    """Runs the program and compares it; raises BenchError when the lane's records cannot be believed: something
    differs, or less was compared than is known."""
    left = _TIMES if JitFault.STACK in lane.environment.faults else 1
    while True:
        checked = check(lane, _SCRIPT)
        found = checked.examined
        if not found.difference and not found.note and found.runs == 1 and found.values >= _LEAST_VALUES:
            return checked
        left -= 1
        if not left or not found.difference:
            break
        said = "\n".join((found.sentence, *checked.lines()))
        _log.warning("%s: the self-test is run again, since an interrupt may have spoilt it: %s", lane.lane, said)
    raise BenchError(
        f"lockstep cannot be believed on {lane.lane}: its self-test, in which every register is known, gave "
        f"{found.sentence}",
        remedy="report it with the run folder; other lanes may work",
        details="\n".join(checked.lines()),
    )
