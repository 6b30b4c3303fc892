"""What bpf_probe_read and its kin read, and what they leave where there is nothing: kernel/trace/bpf_trace.c."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import holds, keep, seeing
from harness.essentials.parts import MAGIC, PRCTL, on_our_prctl, prctl, read_u64, u64
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
    Fire,
    Operation,
    Program,
    Untouched,
)
from harness.script.outcome import OneOf

MARK = 1234
"""The count of our writes to /dev/null, which nobody else makes."""
ALL = (1 << 64) - 1
EFAULT, ERANGE = -14 & ALL, -34 & ALL
NOWHERE = 0x1234_5678_9ABC_DEF0
"""Neither user space nor kernel: not canonical on either architecture."""
WRITE = "write_null"
Steps = tuple[Operation | Step, ...]
Later = Mapping[str, int]
SAME: Later = MappingProxyType({})


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    """Eight bytes are read over eight bytes of ones."""

    def reading(argument: int, helper: Helper = Helper.PROBE_READ, size: int = 8) -> Steps:
        address = ldx(DW, R3, R6, registers.argument(argument))
        return seeing(_of_our_write(registers, _read(address, size, helper)), WRITE)

    def written(what: Buffer | Untouched, content: int, result: int, later: Later = SAME, size: int = 8) -> Steps:
        return (*reading(1, size=size), Fire(WRITE, (what, MARK)), *_seen(content, result, later))

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
            "memory of the kernel is read, at an address that the probed function was given",
            (
                *reading(3),
                Fire("pwrite_null", (0, MARK, MAGIC)),
                *_seen(MAGIC, 0),
            ),
        ),
        Clause("PR-02", "memory of the calling process is read", written(Buffer(u64(MAGIC)), MAGIC, 0)),
        Clause(
            "PR-02.size",
            "as many bytes as are asked for",
            written(Buffer(u64(MAGIC)), MAGIC & 0xFFFFFF | ALL << 24 & ALL, 0, size=3),
        ),
        Clause("PR-02.last", "to the last one there is", written(Buffer(u64(MAGIC), guarded=True), MAGIC, 0)),
        Clause(
            "PR-03",
            "a page that is not there is not fetched; later kernels clear what was to be written",
            written(Untouched(8), ALL, EFAULT, {"5.10": 0}),
        ),
        Clause(
            "PR-06",
            "what is read before memory ends is there in 4.1, cleared later",
            written(
                Buffer(u64(MAGIC)[:5], guarded=True), MAGIC & 0xFF_FFFF_FFFF | ALL << 40 & ALL, EFAULT, {"5.10": 0}
            ),
        ),
        Clause("PR-04.null", "there is nothing at address 0", passed(0, u64(EFAULT))),
        Clause("PR-04.unmapped", "nor in the first pages", passed(0xFFF8, u64(EFAULT))),
        Clause("PR-04.non-canonical", "nor outside of the address space", passed(NOWHERE, refused)),
        *(
            Clause(
                f"PR-09.{what}",
                "since 5.5 there are helpers for either space",
                (
                    *reading(at, helper),
                    Fire("pwrite_null", (Buffer(u64(MAGIC)), MARK, MAGIC)),
                    *_seen(content, result),
                ),
                since="5.10",
            )
            for what, at, helper, content, result in (
                ("user", 1, Helper.PROBE_READ_USER, MAGIC, 0),
                ("kernel", 3, Helper.PROBE_READ_KERNEL, MAGIC, 0),
                ("user-of-kernel", 3, Helper.PROBE_READ_USER, 0, EFAULT),
            )
        ),
        *(
            Clause(
                f"PR-10.{what}",
                "strings are read up to their end, and cut with a zero",
                (
                    *reading(1, helper),
                    Fire(WRITE, (Buffer(text), MARK)),
                    *_seen(int.from_bytes(content, "little"), result),
                ),
                since="5.10",
            )
            for helper, kind in ((Helper.PROBE_READ_STR, "either"), (Helper.PROBE_READ_USER_STR, "user"))
            for what, text, content, result in (
                (f"{kind}-short", b"abc\0defg", b"abc\0\0\0\0\0", 4),
                (f"{kind}-long", b"abcdefghij\0", b"abcdefg\0", 8),
            )
        ),
    )


def _seen(content: int, result: int, later: Later = SAME) -> Steps:
    return holds("seen", content, later), holds("seen", result, key=1)


def _read(address: Piece, size: int = 8, helper: Helper = Helper.PROBE_READ) -> tuple[Piece, ...]:
    """From the address that `address` puts into R3: what it makes of eight bytes of ones goes to the first element of
    "seen", what the helper returns to the second."""
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
    """On write_null(file, buffer, MARK, position), with the context in R6."""
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
