# SPDX-License-Identifier: MIT
"""The programs that PERF_EVENT_IOC_SET_BPF accepts and refuses."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import PRCTL, array, count_hits, kprobe_program, on_our_prctl, prctl, probed, read_u64
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.script.clause import NOTHING as NO_NEEDS
from harness.script.clause import Clause, expect
from harness.script.operations import (
    Attach,
    CreateKprobe,
    FindTracepoint,
    LoadProgram,
    OpenEvent,
    OpenFile,
    ProgramType,
    Ref,
    Script,
)

EVENT, PROGRAM = Ref("event"), Ref("program")
NOTHING = program(mov64_imm(R0, 0), exit_())


def scripts(registers: PtRegs) -> tuple[Script | Clause, ...]:
    return (
        Clause(
            "attach-twice",
            "an event takes one program; a second attempt fails and changes nothing",
            (
                array("hits"),
                *probed(on_our_prctl(registers, count_hits())),
                expect(Attach(EVENT, PROGRAM), "EEXIST"),
                kprobe_program("other", NOTHING),
                expect(Attach(EVENT, Ref("other")), "EEXIST"),
                prctl(),
                read_u64("hits"),
            ),
            NO_NEEDS,
        ),
        Clause(
            "no-program",
            "descriptors that are no program, or nothing at all",
            (
                array("map"),
                OpenFile("file"),
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", Ref("probe")),
                expect(Attach(EVENT, Ref("map")), "EINVAL"),
                expect(Attach(EVENT, Ref("file")), "EINVAL"),
                expect(Attach(EVENT, EVENT), "EINVAL"),
                expect(Attach(EVENT, -1), "EBADF"),
                expect(Attach(EVENT, 1000), "EBADF"),
            ),
            NO_NEEDS,
        ),
        Clause(
            "no-kprobe",
            "a static tracepoint's event does not take a program of type KPROBE, a plain file takes no ioctl",
            (
                kprobe_program("program", NOTHING),
                FindTracepoint("tracepoint", "sched/sched_process_fork"),
                OpenEvent("event", Ref("tracepoint")),
                expect(Attach(EVENT, PROGRAM), "EINVAL"),
                OpenFile("file"),
                expect(Attach(Ref("file"), PROGRAM), "ENOTTY"),
                expect(Attach(-1, PROGRAM), "EBADF"),
            ),
            NO_NEEDS,
        ),
        Clause(
            "wrong-type",
            "a socket filter cannot be attached to a kprobe",
            (
                LoadProgram("filter", ProgramType.SOCKET_FILTER, NOTHING),
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", Ref("probe")),
                expect(Attach(EVENT, Ref("filter")), "EINVAL"),
                kprobe_program("program", NOTHING),
                Attach(EVENT, PROGRAM),
            ),
            NO_NEEDS,
        ),
        Script(
            "two-probes",
            "one program on two probes of the same function runs twice a hit",
            (
                array("hits"),
                *probed(on_our_prctl(registers, count_hits())),
                CreateKprobe("second", PRCTL),
                OpenEvent("second event", Ref("second")),
                Attach(Ref("second event"), PROGRAM),
                prctl(times=5),
                read_u64("hits"),
            ),
        ),
    )
