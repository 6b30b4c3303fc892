# SPDX-License-Identifier: MIT
"""The effect of a program's verdict: 0 keeps the hit out of the ring buffer and of the count, 1 lets it in."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import array, count_hits, on_our_prctl, prctl, probed, read_u64
from harness.isa.assemble import R0, R6, W, and64_imm, ldx, mov64_imm
from harness.script.operations import Disable, Enable, MapRing, ReadCount, ReadRing, Ref, Script

EVENT, RING = Ref("event"), Ref("ring")


def scripts(registers: PtRegs) -> tuple[Script, ...]:
    return (
        Script(
            "ignored",
            "return 0: no record and no count, although the program ran",
            (
                array("hits"),
                *probed(on_our_prctl(registers, count_hits(verdict=0))),
                MapRing("ring", EVENT),
                prctl(),
                ReadRing(RING),
                ReadCount(EVENT),
                read_u64("hits"),
            ),
        ),
        Script(
            "stored",
            "return 1: exactly one record a hit",
            (
                *probed(on_our_prctl(registers, mov64_imm(R0, 1))),
                MapRing("ring", EVENT),
                prctl(),
                ReadRing(RING),
                ReadRing(RING),
                prctl(times=3),
                ReadRing(RING),
                ReadCount(EVENT),
            ),
        ),
        Script(
            "stored-by-argument",
            "the program chooses which hits are stored, by what it reads from its context",
            (
                *probed(on_our_prctl(registers, ldx(W, R0, R6, registers.argument(1)), and64_imm(R0, 1))),
                MapRing("ring", EVENT),
                prctl(2),
                ReadRing(RING),
                prctl(3),
                ReadRing(RING),
                ReadCount(EVENT),
            ),
        ),
        Script(
            "disabled",
            "a disabled event stores and counts nothing, but its program runs on",
            (
                array("hits"),
                *probed(on_our_prctl(registers, count_hits())),
                MapRing("ring", EVENT),
                Disable(EVENT),
                prctl(),
                ReadRing(RING),
                read_u64("hits"),
                Enable(EVENT),
                prctl(),
                ReadRing(RING),
                ReadCount(EVENT),
                read_u64("hits"),
            ),
        ),
    )
