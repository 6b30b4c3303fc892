# SPDX-License-Identifier: MIT
"""Results of helpers, stored in a map: pieces for clauses about programs that call several."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import PROBE
from harness.core_scripts.parts import PRCTL, array, element, kprobe_program, on_our_prctl, read_u64, u64
from harness.isa.assemble import DW, R0, R7, R10, Piece, W, mov64_imm, mov64_reg, st, stx
from harness.script.clause import WORKS, Step, expect
from harness.script.operations import Attach, CreateKprobe, OpenEvent, Operation, Ref

DATA = bytes(range(0x11, 0x21))
"""The bytes that `data` puts on the stack."""


def data() -> Piece:
    """Puts the data below R10, from -24 on; what lies above, `keep` may use."""
    words = (int.from_bytes(DATA[at : at + 4], "little") for at in range(0, len(DATA), 4))
    return tuple(st(W, R10, -24 + 4 * number, word) for number, word in enumerate(words))


def keep(index: int) -> Piece:
    """Stores R0 in the results; afterwards it is 0. R6 stays."""
    return (mov64_reg(R7, R0), element("results", index), stx(DW, R0, 0, R7), mov64_imm(R0, 0))


def attached(layout: PtRegs, *body: Piece, verdict: int = 0) -> tuple[Operation | Step, ...]:
    """Attaches a program with `body` for the script's own prctl on a probe, with the map "results" for `keep`. R6 is
    the context."""
    return (
        array("results", entries=8),
        expect(kprobe_program("program", on_our_prctl(layout, *body, mov64_imm(R0, verdict))), WORKS),
        CreateKprobe("probe", PRCTL),
        OpenEvent("event", PROBE),
        expect(Attach(Ref("event"), Ref("program")), 0),
    )


def results_are(*values: int) -> tuple[Step, ...]:
    """Expects the results from the first one on, 64 bits each, negative ones in two's complement."""
    return tuple(expect(read_u64("results", index), u64(value)) for index, value in enumerate(values))
