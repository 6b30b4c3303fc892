# SPDX-License-Identifier: MIT
"""What a program reads from its context and from memory."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import MAGIC, array, element, on_our_prctl, prctl, probed, read_u64
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
    B,
    H,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
)
from harness.script.operations import Buffer, Program, Script, Trigger

ARGUMENTS = (MAGIC, 0, (1 << 64) - 1, 1 << 63)


def scripts(registers: PtRegs) -> tuple[Script, ...]:
    return (
        Script(
            "arguments",
            "a program reads from struct pt_regs the arguments the trigger really passed",
            (
                array("seen", entries=4),
                *probed(
                    on_our_prctl(
                        registers,
                        [
                            (
                                ldx(DW, R7, R6, registers.argument(1 + n)),
                                element("seen", n),
                                stx(DW, R0, 0, R7),
                            )
                            for n in range(4)
                        ],
                        mov64_imm(R0, 0),
                    )
                ),
                prctl(*ARGUMENTS),
                *(read_u64("seen", n) for n in range(4)),
            ),
        ),
        Script(
            "argument-widths",
            "loads of one, two and four bytes see the parts of a register",
            (
                array("seen", entries=4),
                *probed(
                    on_our_prctl(
                        registers,
                        [
                            (ldx(size, R7, R6, registers.argument(1) + at), element("seen", n), stx(DW, R0, 0, R7))
                            for n, (size, at) in enumerate([(B, 0), (B, 7), (H, 2), (W, 4)])
                        ],
                        mov64_imm(R0, 0),
                    )
                ),
                prctl(MAGIC),
                *(read_u64("seen", n) for n in range(4)),
            ),
        ),
        Script(
            "return-value",
            "a program on a kretprobe sees what the function returned",
            (
                array("seen"),
                *probed(
                    program(
                        # The low half: the function returns an int.
                        ldx(W, R7, R1, registers.offsets[registers.returns]),
                        element("seen"),
                        stx(DW, R0, 0, R7),
                        mov64_imm(R0, 0),
                        exit_(),
                    ),
                    returns=True,
                ),
                prctl(),
                read_u64("seen"),
            ),
        ),
        Script(
            "probe-read",
            "probe_read copies the memory an argument points to, and fails with EFAULT where there is none",
            (
                array("seen", entries=4),
                *probed(_reads_what_is_written(registers), symbol="write_null"),
                Trigger("write_null", (Buffer(MAGIC.to_bytes(8, "little")), 8)),
                *(read_u64("seen", n) for n in range(4)),
            ),
        ),
        Script(
            "monotonic-clock",
            "ktime_get_ns gives a time, which is not 0",
            (
                array("seen"),
                *probed(
                    on_our_prctl(
                        registers,
                        call(Helper.KTIME_GET_NS),
                        mov64_reg(R8, R0),
                        element("seen"),
                        stx(DW, R0, 0, R8),
                        mov64_imm(R0, 0),
                    )
                ),
                prctl(),
                read_u64("seen"),
            ),
        ),
    )


def _read(address: Piece) -> tuple[Piece, ...]:
    """Calls probe_read for eight bytes from the address that `address` puts into R3, to the stack at -16; the result is
    in R8."""
    return (
        st(DW, R10, -16, -1),
        mov64_reg(R1, R10),
        add64_imm(R1, -16),
        mov64_imm(R2, 8),
        address,
        call(Helper.PROBE_READ),
        mov64_reg(R8, R0),
    )


def _reads_what_is_written(registers: PtRegs) -> Program:
    """Handles write_null(file, buffer, 8, position): reads the buffer, then address 0; content and result of each go to
    "seen"."""
    return program(
        mov64_reg(R6, R1),
        ldx(DW, R7, R6, registers.argument(2)),
        jeq_imm(R7, 8, "ours"),
        mov64_imm(R0, 0),
        exit_(),
        "ours",
        _read(ldx(DW, R3, R6, registers.argument(1))),
        ldx(DW, R7, R10, -16),
        element("seen", 0),
        stx(DW, R0, 0, R7),
        element("seen", 1),
        stx(DW, R0, 0, R8),
        _read(mov64_imm(R3, 0)),
        ldx(DW, R7, R10, -16),
        element("seen", 2),
        stx(DW, R0, 0, R7),
        element("seen", 3),
        stx(DW, R0, 0, R8),
        mov64_imm(R0, 0),
        exit_(),
    )
