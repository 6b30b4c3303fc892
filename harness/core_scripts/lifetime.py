# SPDX-License-Identifier: MIT
"""Lifetimes of events, programs and probes: what a close ends, and what it does not."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import PRCTL, array, count_hits, on_our_prctl, prctl, probed, read_u64
from harness.script.clause import NOTHING as NO_NEEDS
from harness.script.clause import Clause, expect
from harness.script.operations import Attach, Close, CreateKprobe, Duplicate, OpenEvent, Ref, RemoveKprobe, Script

EVENT, PROGRAM = Ref("event"), Ref("program")


def scripts(registers: PtRegs) -> tuple[Script | Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    return (
        Clause(
            "close-detaches",
            "closing the event detaches the program: the counter stops",
            (
                *counted,
                prctl(),
                read_u64("hits"),
                Close(EVENT),
                prctl(times=3),
                read_u64("hits"),
                expect(Close(EVENT), "EBADF"),
            ),
            NO_NEEDS,
        ),
        Script(
            "duplicate-keeps",
            "the event lives until its last descriptor is closed",
            (
                *counted,
                Duplicate("copy", EVENT),
                Close(EVENT),
                prctl(),
                read_u64("hits"),
                Close(Ref("copy")),
                prctl(),
                read_u64("hits"),
            ),
        ),
        Script(
            "program-outlives-descriptor",
            "the event holds the program: closing the program's descriptor changes nothing",
            (*counted, Close(PROGRAM), prctl(), read_u64("hits")),
        ),
        Script(
            "attach-again",
            "after a close the same program can be attached to a new event",
            (
                *counted,
                Close(EVENT),
                OpenEvent("again", Ref("probe")),
                Attach(Ref("again"), PROGRAM),
                prctl(),
                read_u64("hits"),
            ),
        ),
        Clause(
            "busy-probe",
            "a probe cannot be removed while an event is open on it",
            (
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", Ref("probe")),
                expect(RemoveKprobe(Ref("probe")), "EBUSY"),
                Close(EVENT),
                RemoveKprobe(Ref("probe")),
                expect(RemoveKprobe(Ref("probe")), "ENOENT"),
            ),
            NO_NEEDS,
        ),
    )
