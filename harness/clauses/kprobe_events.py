# SPDX-License-Identifier: MIT
"""tracefs' kprobe_events: making and removing trace events; kernel/trace/trace_kprobe.c."""

from __future__ import annotations

from collections.abc import Mapping

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, PROGRAM, accepted, opened
from harness.core_scripts.parts import PRCTL, prctl
from harness.script.clause import WORKS, Clause, Said, Step, expect
from harness.script.expectation import Expectation
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    FindTracepoint,
    OpenEvent,
    Operation,
    ReadCount,
    ReadProfile,
    Ref,
    RemoveKprobe,
    WriteKprobeEvents,
)


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return (
        _clause(
            "KP-02",
            "A command p SYMBOL makes a trace event at the entry of a function",
            expect(CreateKprobe("probe", PRCTL), WORKS),
        ),
        _clause(
            "KP-03",
            "A command r SYMBOL makes a trace event at the return of a function",
            expect(CreateKprobe("probe", PRCTL, returns=True), WORKS),
        ),
        *(
            _clause(
                f"KP-04.{what}",
                f"{kind} probe without a name makes the trace event kprobes/{what[0]}_SYMBOL_0",
                expect(WriteKprobeEvents(f"{what[0]} {PRCTL}"), 0),
                expect(FindTracepoint("default", f"kprobes/{what[0]}_{PRCTL}_0"), WORKS),
                expect(WriteKprobeEvents(f"-:kprobes/{what[0]}_{PRCTL}_0"), 0),
            )
            for what, kind in (("probe", "An entry"), ("return", "A return"))
        ),
        _clause(
            "KP-30",
            "The file kprobe_profile counts hits of a probe while an event of it is open, whatever programs return",
            accepted("program"),
            *opened(),
            Attach(EVENT, PROGRAM),
            prctl(times=3),
            expect(ReadCount(EVENT), 0),
            expect(ReadProfile(PROBE), Expectation(value=range(3, 1 << 32))),
        ),
        _clause(
            "KP-31",
            "The file kprobe_profile has no line of a probe that was removed",
            expect(CreateKprobe("probe", PRCTL), WORKS),
            expect(RemoveKprobe(PROBE), 0),
            expect(ReadProfile(PROBE), "ENOENT"),
        ),
        _clause(
            "KP-11",
            "A negative offset makes no trace event: 4.1 accepts the command and does nothing, later kernels "
            "give EINVAL",
            expect(WriteKprobeEvents(f"p:{{}}negative {PRCTL}-4"), 0, {"5.10": "EINVAL"}),
            expect(WriteKprobeEvents("-:{}negative"), "ENOENT"),
        ),
        _clause(
            "KP-08",
            "A probe on a function that does not exist gives ENOENT; since 6.12 EINVAL",
            expect(CreateKprobe("probe", "no_such_function"), "ENOENT", {"6.12": "EINVAL"}),
        ),
        _clause(
            "KP-16",
            "A trace event can be removed once; the second time gives ENOENT",
            CreateKprobe("probe", PRCTL),
            expect(RemoveKprobe(PROBE), 0),
            expect(RemoveKprobe(PROBE), "ENOENT"),
        ),
        _clause(
            "KP-16.absent",
            "Removing a trace event that was never made gives ENOENT",
            expect(WriteKprobeEvents("-:{}probe"), "ENOENT"),
        ),
        _clause(
            "KP-16.busy",
            "Removing a trace event gives EBUSY while a perf event is open on it",
            CreateKprobe("probe", PRCTL),
            OpenEvent("event", PROBE),
            expect(RemoveKprobe(PROBE), "EBUSY"),
            Close(EVENT),
            expect(RemoveKprobe(PROBE), 0),
        ),
        _clause(
            "KP-18",
            "Each of several trace events on one function has an id of its own, and each counts",
            *(CreateKprobe(f"probe{number}", PRCTL) for number in range(8)),
            *(OpenEvent(f"event {number}", Ref(f"probe{number}")) for number in range(8)),
            prctl(),
            *(expect(ReadCount(Ref(f"event {number}")), 1) for number in range(8)),
        ),
        _clause(
            "KP-14",
            "The name of a trace event that was removed can be used for another probe, which takes a program",
            CreateKprobe("probe", PRCTL),
            RemoveKprobe(PROBE),
            accepted("program"),
            expect(CreateKprobe("probe", PRCTL, returns=True), WORKS),
            OpenEvent("event", PROBE),
            expect(Attach(EVENT, PROGRAM), 0),
        ),
        *(_made(*row) for row in _MADE),
        *(_refused(*row) for row in _REFUSED),
        _clause(
            "KP-12.offset",
            "A return probe at an offset of 1 gives EINVAL: it must be at a function's entry",
            expect(CreateKprobe("probe", PRCTL, returns=True, offset=1), "EINVAL"),
        ),
        _clause(
            "KP-15",
            "A command with the name of an existing probe replaces that probe in 4.1, and gives EEXIST in "
            "later kernels if both are the same",
            expect(WriteKprobeEvents(f"p:{{}}twice {PRCTL}"), 0),
            expect(WriteKprobeEvents(f"p:{{}}twice {PRCTL}"), 0, {"5.10": "EEXIST"}),
            expect(WriteKprobeEvents("-:{}twice"), 0),
        ),
        _clause("KP-07", "A line that begins with # is ignored", expect(WriteKprobeEvents("# nothing"), 0)),
        _clause("KP-07.blank", "An empty line is ignored", expect(WriteKprobeEvents(""), 0)),
    )


def _clause(id: str, sentence: str, *steps: Operation | Step) -> Clause:
    return Clause(id, sentence, steps)


_MADE: tuple[tuple[str, str, str], ...] = (
    ("KP-21.stack", "A probe may fetch the stack pointer, $stack", f"p:{{}}probe {PRCTL} $stack"),
    ("KP-21.stack-slot", "A probe may fetch a slot of the stack, $stack0", f"p:{{}}probe {PRCTL} $stack0"),
    ("KP-21.retval", "A return probe may fetch what the function returns, $retval", f"r:{{}}probe {PRCTL} $retval"),
    (
        "KP-21.named",
        "An argument that a probe fetches may have a name and a type, result=$retval:s32",
        f"r:{{}}probe {PRCTL} result=$retval:s32",
    ),
    (
        "KP-21.memory",
        "A probe may fetch memory that something else points to, +0($stack):u64",
        f"p:{{}}probe {PRCTL} +0($stack):u64",
    ),
    ("KP-02.offset-zero", "A probe at SYMBOL+0 is a probe at the symbol", f"p:{{}}probe {PRCTL}+0"),
)


def _made(id: str, sentence: str, command: str) -> Clause:
    return _clause(
        id,
        sentence,
        expect(WriteKprobeEvents(command), 0),
        expect(WriteKprobeEvents("-:{}probe"), 0),
    )


_REFUSED: tuple[tuple[str, str, str, Said, Mapping[str, Said], *tuple[str, ...]], ...] = (
    ("KP-05.digit", "A trace event whose name begins with a digit gives EINVAL", f"p:hil/1probe {PRCTL}", "EINVAL", {}),
    ("KP-05.dash", "A trace event with a dash in its name gives EINVAL", f"p:{{}}a-b {PRCTL}", "EINVAL", {}),
    (
        "KP-05.group",
        "A group with a dash in its name gives EINVAL in 4.1",
        f"p:h-il/probe {PRCTL}",
        "EINVAL",
        {},
        "4.1",
    ),
    ("KP-05.empty-group", "A group with an empty name gives EINVAL", f"p:/probe {PRCTL}", "EINVAL", {}),
    ("KP-13", "A command that names no place for its probe gives EINVAL", "p:{}probe", "EINVAL", {}),
    (
        "KP-08.write",
        "A command that names a symbol that does not exist gives ENOENT; since 6.12 EINVAL",
        "p:{}probe no_such_function",
        "ENOENT",
        {"6.12": "EINVAL"},
    ),
    (
        "KP-12.address",
        "A return probe at an address, not at a symbol, gives EINVAL in 4.1",
        "r:{}probe 0x1000",
        "EINVAL",
        {},
        "4.1",
    ),
    (
        "KP-10.address",
        "A probe at an address outside the kernel's code gives EINVAL in 4.1",
        "p:{}probe 0x1000",
        "EINVAL",
        {},
        "4.1",
    ),
    (
        "KP-21.retval-entry",
        "A probe at a function's entry that fetches $retval gives EINVAL",
        f"p:{{}}probe {PRCTL} $retval",
        "EINVAL",
        {},
    ),
    (
        "KP-21.unknown",
        "A probe that fetches an unknown variable, $nonsense, gives EINVAL",
        f"p:{{}}probe {PRCTL} $nonsense",
        "EINVAL",
        {},
    ),
    (
        "KP-21.register",
        "A probe that fetches an unknown register, %nonsense, gives EINVAL",
        f"p:{{}}probe {PRCTL} %nonsense",
        "EINVAL",
        {},
    ),
    (
        "KP-21.type",
        "A probe that fetches with an unknown type, u65, gives EINVAL",
        f"p:{{}}probe {PRCTL} $stack:u65",
        "EINVAL",
        {},
    ),
    (
        "KP-21.reserved",
        "An argument that has the name of a common field, common_pid, gives EINVAL",
        f"p:{{}}probe {PRCTL} common_pid=$stack",
        "EINVAL",
        {},
    ),
    (
        "KP-21.twice",
        "Two arguments of a probe with the same name give EINVAL",
        f"p:{{}}probe {PRCTL} a=$stack a=$stack0",
        "EINVAL",
        {},
    ),
    (
        "KP-16.write",
        "A command that removes a trace event that does not exist gives ENOENT",
        "-:{}nothing",
        "ENOENT",
        {},
    ),
    ("KP-06", "A command that begins with neither p, r nor - gives EINVAL", f"x:{{}}probe {PRCTL}", "EINVAL", {}),
)


def _refused(
    id: str, sentence: str, command: str, said: Said, later: Mapping[str, Said], until: str | None = None
) -> Clause:
    steps = (expect(WriteKprobeEvents(command), said, later),)
    return Clause(id, sentence, steps, until=until)
