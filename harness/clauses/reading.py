# SPDX-License-Identifier: MIT
"""What bpf_probe_read and its kin read, and what they leave in the destination when they fail:
kernel/trace/bpf_trace.c."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import holds, keep, seeing
from harness.core_scripts.parts import MAGIC, PRCTL, on_our_prctl, prctl, read_u64, u64
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R7,
    R8,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.script.clause import Clause, Said, Step, expect
from harness.script.operations import (
    Buffer,
    Operation,
    Program,
    Trigger,
    Untouched,
)
from harness.script.outcome import OneOf

MARK = 1234
"""The count of the script's writes to /dev/null, which no other caller uses."""
ALL = (1 << 64) - 1
EFAULT, ERANGE = -errno.EFAULT & ALL, -errno.ERANGE & ALL
NOWHERE = 0x1234_5678_9ABC_DEF0
"""An address that belongs neither to user space nor to the kernel: not canonical on either architecture."""
WRITE = "write_null"
Steps = tuple[Operation | Step, ...]
Later = Mapping[str, int]
SAME: Later = MappingProxyType({})


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    """Returns clauses that read eight bytes over eight bytes of ones."""

    def reading(argument: int, helper: Helper = Helper.PROBE_READ, size: int = 8) -> Steps:
        address = ldx(DW, R3, R6, registers.argument(argument))
        return seeing(_of_our_write(registers, _read(address, size, helper)), WRITE)

    def written(what: Buffer | Untouched, content: int, result: int, later: Later = SAME, size: int = 8) -> Steps:
        return (*reading(1, size=size), Trigger(WRITE, (what, MARK)), *_holds(content, result, later))

    def passed(address: int, later: Said) -> Steps:
        code = on_our_prctl(registers, _read(ldx(DW, R3, R6, registers.argument(1))), mov64_imm(R0, 0))
        return (
            *seeing(code, PRCTL),
            prctl(address),
            holds("seen", ALL, {"5.10": 0}),
            expect(read_u64("seen", 1), u64(EFAULT), {"5.10": later}),
        )

    refused = OneOf((u64(EFAULT), u64(ERANGE)))
    return (
        Clause(
            "PR-01",
            "bpf_probe_read reads kernel memory at an address that the probed function was given",
            (
                *reading(3),
                Trigger("pwrite_null", (0, MARK, MAGIC)),
                *_holds(MAGIC, 0),
            ),
        ),
        Clause(
            "PR-02",
            "bpf_probe_read reads memory of the process that reached the probe",
            written(Buffer(u64(MAGIC)), MAGIC, 0),
        ),
        Clause(
            "PR-02.size",
            "bpf_probe_read writes as many bytes as it is asked to read, and no more",
            written(Buffer(u64(MAGIC)), MAGIC & 0xFFFFFF | ALL << 24 & ALL, 0, size=3),
        ),
        Clause(
            "PR-02.last",
            "bpf_probe_read reads up to the last byte before memory ends",
            written(Buffer(u64(MAGIC), guarded=True), MAGIC, 0),
        ),
        Clause(
            "PR-03",
            "bpf_probe_read of a page that has not been touched returns -EFAULT and fetches no page; since "
            "5.10 it clears the buffer",
            written(Untouched(8), ALL, EFAULT, {"5.10": 0}),
        ),
        Clause(
            "PR-06",
            "bpf_probe_read across the end of memory returns -EFAULT; 4.1 leaves what it read before in the "
            "buffer, later kernels clear it",
            written(
                Buffer(u64(MAGIC)[:5], guarded=True), MAGIC & 0xFF_FFFF_FFFF | ALL << 40 & ALL, EFAULT, {"5.10": 0}
            ),
        ),
        Clause("PR-04.null", "bpf_probe_read at address 0 returns -EFAULT", passed(0, u64(EFAULT))),
        Clause(
            "PR-04.unmapped",
            "bpf_probe_read at an address in the first pages, which are not mapped, returns -EFAULT",
            passed(0xFFF8, u64(EFAULT)),
        ),
        Clause(
            "PR-04.non-canonical",
            "bpf_probe_read at an address that is neither user's nor kernel's "
            "returns -EFAULT; in later kernels perhaps -ERANGE",
            passed(NOWHERE, refused),
        ),
        *(
            Clause(
                f"PR-09.{what}",
                f"{name} of {space} memory {comes}",
                (
                    *reading(at, helper),
                    Trigger("pwrite_null", (Buffer(u64(MAGIC)), MARK, MAGIC)),
                    *_holds(content, result),
                ),
                since="5.10",
            )
            for what, name, space, comes, at, helper, content, result in (
                ("user", "bpf_probe_read_user", "user", "reads it, and returns 0", 1, Helper.PROBE_READ_USER, MAGIC, 0),
                (
                    "kernel",
                    "bpf_probe_read_kernel",
                    "kernel",
                    "reads it, and returns 0",
                    3,
                    Helper.PROBE_READ_KERNEL,
                    MAGIC,
                    0,
                ),
                (
                    "user-of-kernel",
                    "bpf_probe_read_user",
                    "kernel",
                    "returns -EFAULT and clears the buffer",
                    3,
                    Helper.PROBE_READ_USER,
                    0,
                    EFAULT,
                ),
            )
        ),
        *(
            Clause(
                f"PR-10.{what}",
                f"{name} reads {shown}",
                (
                    *reading(1, helper),
                    Trigger(WRITE, (Buffer(text), MARK)),
                    *_holds(int.from_bytes(content, "little"), result),
                ),
                since="5.10",
            )
            for helper, name, kind in (
                (Helper.PROBE_READ_STR, "bpf_probe_read_str", "either"),
                (Helper.PROBE_READ_USER_STR, "bpf_probe_read_user_str", "user"),
            )
            for what, shown, text, content, result in (
                (
                    f"{kind}-short",
                    "a string up to its zero, and returns its length with it",
                    b"abc\0defg",
                    b"abc\0\0\0\0\0",
                    4,
                ),
                (
                    f"{kind}-long",
                    "as much of a string as fits, and puts a zero behind it",
                    b"abcdefghij\0",
                    b"abcdefg\0",
                    8,
                ),
            )
        ),
    )


def _holds(content: int, result: int, later: Later = SAME) -> Steps:
    return holds("seen", content, later), holds("seen", result, key=1)


def _read(address: Piece, size: int = 8, helper: Helper = Helper.PROBE_READ) -> tuple[Piece, ...]:
    """Reads from the address that `address` puts into R3: eight bytes of ones, as they are after it, go to the first
    element of "seen", the helper's result to the second."""
    return (
        st(DW, R10, -16, -1),
        mov64_reg(R1, R10),
        add64_imm(R1, -16),
        mov64_imm(R2, size),
        address,
        call(helper),
        mov64_reg(R8, R0),
        ldx(DW, R7, R10, -16),
        keep(R7, 0),
        keep(R8, 1),
    )


def _of_our_write(registers: PtRegs, *body: Piece) -> Program:
    """Handles write_null(file, buffer, MARK, position), with the context in R6."""
    return program(
        mov64_reg(R6, R1),
        ldx(DW, R7, R6, registers.argument(2)),
        jeq_imm(R7, MARK, "ours"),
        mov64_imm(R0, 0),
        exit_(),
        "ours",
        body,
        mov64_imm(R0, 0),
        exit_(),
    )
