# SPDX-License-Identifier: MIT
"""bpf_trace_printk: the formats it accepts, and the resulting trace buffer; kernel/trace/bpf_trace.c."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import holds, keep, seeing
from harness.core_scripts.parts import MAGIC, PRCTL, on_our_prctl, prctl, read_u64, u64
from harness.isa.assemble import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R8,
    R10,
    Helper,
    W,
    add64_imm,
    call,
    ld_imm64,
    mov64_imm,
    mov64_reg,
    st,
)
from harness.script.clause import Clause, Said, expect, records
from harness.script.expectation import Expectation
from harness.script.operations import (
    Program,
)
from harness.script.outcome import ANY, Anything, Outcome
from harness.script.processes import GetProcessId
from harness.script.surroundings import ClearTrace, ReadTrace

ALL = (1 << 64) - 1
EINVAL, TOP = -errno.EINVAL & ALL, 1 << 63


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    """Returns TP-01 to TP-11: a text, up to three arguments, and the resulting trace buffer; None is -EINVAL, ANY where
    nobody has looked."""
    rows: tuple[tuple[str, str, bytes, tuple[int, ...], str | None, Mapping[str, str | Anything | None]], ...] = (
        ("TP-10", "bpf_trace_printk writes a plain text into the trace buffer and returns its length",
         b"hello\n\0", (), "hello\n", {}),
        ("TP-04.d", "bpf_trace_printk writes a signed number for %d", b"%d\n\0", (-5,), "-5\n", {}),
        ("TP-04.u", "bpf_trace_printk writes an unsigned number for %u", b"%u\n\0", (5,), "5\n", {}),
        ("TP-04.x", "bpf_trace_printk writes a hexadecimal number for %x", b"%x\n\0", (0xBEEF,), "beef\n", {}),
        ("TP-08", "bpf_trace_printk takes the low 32 bits of an argument for %d, %u and %x",
         b"%d %u %x\n\0", (ALL, ALL, MAGIC), "-1 4294967295 55667788\n", {}),
        ("TP-08.l", "bpf_trace_printk takes all 64 bits of an argument for %ld, %lu and %lx",
         b"%ld %lu %lx\n\0", (ALL, ALL, MAGIC), f"-1 {ALL} {MAGIC:x}\n", {}),
        ("TP-08.ll", "bpf_trace_printk takes all 64 bits of an argument for %lld, %llu and %llx",
         b"%lld %llu %llx\n\0", (TOP, TOP, ALL), f"-{TOP} {TOP} {ALL:x}\n", {}),
        ("TP-09", "bpf_trace_printk writes an address for %p in 4.1, and a hash of it in later kernels",
         b"%p\n\0", (0x1234,), "0000000000001234\n", {"5.10": "\n"}),
        ("TP-01", "bpf_trace_printk returns -EINVAL for a text whose last byte is not 0", b"hello", (), None, {}),
        ("TP-02.inner", "bpf_trace_printk returns -EINVAL for a text with a byte 0 inside; since 6.1 the "
                        "text ends there", b"a\0b\n\0", (), None, {"6.1": "a"}),
        ("TP-02.control", "bpf_trace_printk returns -EINVAL for a text with a control character",
         b"a\x01\n\0", (), None, {}),
        ("TP-02.eight-bit", "bpf_trace_printk returns -EINVAL for a text with a byte above 127; since 6.1.176 of 6.1, "
                            "6.12.94 of 6.12, and in 7.2 it writes it", b"caf\xe9\n\0", (), None,
         {"6.1.175": ANY, "6.1.176": "caf\xe9\n", "6.6": ANY, "6.12": None, "6.12.91": ANY, "6.12.94": "caf\xe9\n",
          "7.2": "caf\xe9\n"}),
        ("TP-03", "bpf_trace_printk takes three conversions", b"%d%d%d\n\0", (1, 2, 3), "123\n", {}),
        ("TP-03.more", "bpf_trace_printk returns -EINVAL for four conversions", b"%d%d%d%d\n\0", (1, 2, 3), None, {}),
        ("TP-05", "bpf_trace_printk returns -EINVAL for %%; since 6.1 it writes a percent sign",
         b"5%%\n\0", (), None, {"6.1": "5%\n"}),
        ("TP-07", "bpf_trace_printk returns -EINVAL for a text that ends in %", b"5%\0", (), None, {}),
        ("TP-07.l", "bpf_trace_printk returns -EINVAL for a text that ends in %l", b"5%l\0", (), None, {}),
    )  # fmt: skip
    only_first = (b"%s", b"%c", b"%i", b"%X", b"%5d", b"%08x", b"%ld%")
    twice = _prints(registers, b"ab\0", ())
    return (
        *(
            Clause(
                id,
                sentence,
                (
                    *seeing(_prints(registers, text, arguments), PRCTL),
                    GetProcessId("process"),
                    expect(ClearTrace(), 0),
                    prctl(),
                    expect(ReadTrace(), _printed(said), {era: _printed(other) for era, other in later.items()}),
                    expect(
                        read_u64("seen"),
                        _length(text, said),
                        {era: _length(text, other) for era, other in later.items()},
                    ),
                ),
            )
            for id, sentence, text, arguments, said, later in rows
        ),
        *(
            Clause(
                f"TP-06.{index}",
                f"bpf_trace_printk returns -EINVAL for {text.decode()} in 4.1",
                (
                    *seeing(_prints(registers, text + b"\n\0", (1,)), PRCTL),
                    ClearTrace(),
                    prctl(),
                    holds("seen", EINVAL),
                    expect(ReadTrace(), records(0)),
                ),
                until="4.1",
            )
            for index, text in enumerate(only_first)
        ),
        Clause(
            "TP-11",
            "Each bpf_trace_printk makes a record of its own; since 5.10 it ends in a newline, before that "
            "only if the text does",
            (
                *seeing(twice, PRCTL),
                ClearTrace(),
                prctl(times=2),
                expect(ReadTrace(), _printed("abab", 2), {"5.10": _printed("ab\nab\n", 2)}),
            ),
        ),
        Clause(
            "TP-11.cleared",
            "Opening the trace file with O_TRUNC clears the trace buffer",
            (
                *seeing(twice, PRCTL),
                ClearTrace(),
                prctl(),
                ClearTrace(),
                expect(ReadTrace(), records(0)),
            ),
        ),
    )  # fmt: skip


def _printed(text: str | Anything | None, times: int = 1) -> Outcome | None:
    if isinstance(text, Anything):
        return None
    return records(0) if text is None else Expectation(value=times, records=times, log=text)


def _length(text: bytes, printed: str | Anything | None) -> Said:
    """Returns the expected result of trace_printk. The clause does not say how long a hidden address is."""
    if isinstance(printed, Anything):
        return None
    if printed is None:
        return u64(EINVAL)
    return u64(17) if text == b"%p\n\0" else u64(len(printed))


def _prints(registers: PtRegs, text: bytes, arguments: tuple[int, ...]) -> Program:
    """Returns a program that prints for the script's prctl; the helper's result goes to "seen"."""
    room = -(-len(text) // 8) * 8
    padded = text.ljust(room, b"\0")
    words = [int.from_bytes(padded[at : at + 4], "little", signed=True) for at in range(0, room, 4)]
    pieces = [st(W, R10, 4 * index - room - 8, word) for index, word in enumerate(words)]
    return on_our_prctl(
        registers,
        pieces,
        mov64_reg(R1, R10),
        add64_imm(R1, -room - 8),
        mov64_imm(R2, len(text)),
        [ld_imm64(register, value & ALL) for register, value in zip((R3, R4, R5), (*arguments, 0, 0, 0), strict=False)],
        call(Helper.TRACE_PRINTK),
        mov64_reg(R8, R0),
        keep(R8, 0),
        mov64_imm(R0, 0),
    )
