"""What PERF_EVENT_IOC_SET_BPF takes, and what it refuses."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.essentials.parts import PRCTL, array, count_hits, kprobe_program, on_our_prctl, prctl, probed, read_u64
from harness.isa.assemble import R0, exit_, mov64_imm, program
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


def scripts(registers: PtRegs) -> tuple[Script, ...]:
    return (
        Script(
            "attach-twice",
            "an event takes one program; a second attempt fails and changes nothing",
            (
                array("hits"),
                *probed(on_our_prctl(registers, count_hits())),
                Attach(EVENT, PROGRAM),
                kprobe_program("other", NOTHING),
                Attach(EVENT, Ref("other")),
                prctl(),
                read_u64("hits"),
            ),
        ),
        Script(
            "no-program",
            "descriptors that are no program, or nothing at all",
            (
                array("map"),
                OpenFile("file"),
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", Ref("probe")),
                Attach(EVENT, Ref("map")),
                Attach(EVENT, Ref("file")),
                Attach(EVENT, EVENT),
                Attach(EVENT, -1),
                Attach(EVENT, 1000),
            ),
        ),
        Script(
            "no-kprobe",
            "a static tracepoint's event does not take a program of type KPROBE, a plain file takes no ioctl",
            (
                kprobe_program("program", NOTHING),
                FindTracepoint("tracepoint", "sched/sched_process_fork"),
                OpenEvent("event", Ref("tracepoint")),
                Attach(EVENT, PROGRAM),
                OpenFile("file"),
                Attach(Ref("file"), PROGRAM),
                Attach(-1, PROGRAM),
            ),
        ),
        Script(
            "wrong-type",
            "a socket filter cannot be attached to a kprobe",
            (
                LoadProgram("filter", ProgramType.SOCKET_FILTER, NOTHING),
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", Ref("probe")),
                Attach(EVENT, Ref("filter")),
                kprobe_program("program", NOTHING),
                Attach(EVENT, PROGRAM),
            ),
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
