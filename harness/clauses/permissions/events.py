# SPDX-License-Identifier: MIT
"""perf_event_open(2): the events that the paranoia level and capabilities allow to whom."""

from __future__ import annotations

from types import MappingProxyType

from harness.abi import perf
from harness.abi.capabilities import Capability
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, PROGRAM, hits_are
from harness.clauses.permissions.parts import (
    ADMIN,
    BPF,
    PARANOID,
    PERFMON,
    RESTRICT,
    SAME,
    USER,
    Given,
    Later,
    by,
    by_user,
    probe,
)
from harness.core_scripts.parts import array, count_hits, on_our_prctl, prctl, probed
from harness.script.clause import WORKS, Clause, Said, expect
from harness.script.operations import (
    Attach,
    Disable,
    Enable,
    LoadProgram,
    OpenEvent,
    Operation,
    Part,
    ProgramType,
    RawOpenEvent,
    ReadCount,
    Ref,
    SampleType,
)
from harness.script.processes import GetProcessId
from harness.script.surroundings import SetSetting

LATER_DEFAULTS: Given = MappingProxyType({PARANOID: (2, 3)})
"""The level of upstream since 4.6, and of Debian: nobody without CAP_PERFMON opens events of the kernel."""
COUNTING = SampleType.TID | SampleType.CPU
"""The fields that a sample may have without being raw."""


def events_clauses(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    return (
        *open_rows_clauses(),
        Clause(
            "DET-05",
            "A process without privileges that opens the trace event for itself, and ends, detaches root's "
            "program in 4.1; later kernels keep it",
            (
                *counted,
                SetSetting(PARANOID, 1),
                *by_user(expect(_counter(), WORKS), prctl()),
                hits_are(1),
                prctl(),
                hits_are(1, {"5.10": 2}),
            ),
        ),
        Clause(
            "DET-04.raw",
            "An attempt to sample raw data that is denied with EPERM leaves the program of the trace event attached",
            (*counted, SetSetting(PARANOID, 1), *by_user(expect(OpenEvent("e", PROBE), "EPERM")), prctl(), hits_are(1)),
        ),
        Clause(
            "DET-03.cpu",
            "An attempt to watch a CPU that is denied with EACCES detaches the program in 4.1; later kernels keep it",
            (
                *counted,
                SetSetting(PARANOID, 1),
                *by_user(expect(_counter(pid=-1, cpu=0), "EACCES")),
                prctl(),
                hits_are(0, {"5.10": 1}),
            ),
        ),
        Clause(
            "ATTACH-23",
            "A process without capabilities that holds the descriptors of event and program may attach, "
            "enable, disable and read",
            (
                array("hits"),
                probe(),
                OpenEvent("event", PROBE, inherit=True),
                LoadProgram("program", ProgramType.KPROBE, on_our_prctl(registers, count_hits())),
                *by_user(
                    expect(Attach(EVENT, PROGRAM), 0),
                    prctl(),
                    expect(ReadCount(EVENT), 1),
                    expect(Disable(EVENT), 0),
                    expect(Enable(EVENT), 0),
                ),
                hits_are(1),
            ),
        ),
    )


def _counter(**call: int) -> OpenEvent:
    """Opens an event without raw data."""
    return OpenEvent("event", PROBE, sample_type=COUNTING, **call)  # type: ignore[arg-type]


IN_4_1 = " in 4.1, and EACCES in later kernels, which look at its rights first"
KINDS = {
    "raw": "A perf event that samples raw data",
    "counter": "A perf event without raw data",
    "cpu": "A perf event for every task on a CPU",
    "user-only": "A perf event with exclude_kernel",
}


def _outcome(said: Said, later: Later) -> str:
    first, *then = (f"gives {what}" if isinstance(what, str) else "can be opened" for what in (said, *later.values()))
    return f"{first} in 4.1, and {then[0]} in later kernels," if then else first


def patched(first: Said, restricted: Said, default: Given) -> tuple[tuple[Said, str, str | None, Given], ...]:
    """Returns the expectations for 4.1; for later kernels without Debian's patch, in which it works where the settings
    are `default`; and for those with it."""
    return (
        (first, "4.1", "4.1", {}),
        (WORKS, "5.10", None, {RESTRICT: (0,), **default}),
        (restricted, "5.10", None, {RESTRICT: (1,)}),
    )


def open_rows_clauses() -> tuple[Clause, ...]:
    """Returns PEO-10: what perf_event_paranoid leaves to the unprivileged."""
    raw, counter, whole = OpenEvent("event", PROBE), _counter(), _counter(pid=-1, cpu=0)
    user_only = RawOpenEvent(
        "event",
        (
            Part(0, 4, perf.TYPE_TRACEPOINT),
            Part(4, 4, perf.ATTR.size),
            Part(8, 8, PROBE),
            Part(40, 8, perf.EXCLUDE_KERNEL),
        ),
    )
    levels: tuple[tuple[int, str, Operation, Said, Later], ...] = (
        (-1, "raw", raw, WORKS, SAME),
        (0, "raw", raw, "EPERM", SAME),
        (1, "raw", raw, "EPERM", SAME),
        (2, "raw", raw, "EACCES", SAME),
        (3, "raw", raw, "EACCES", SAME),
        (0, "counter", counter, WORKS, SAME),
        (1, "counter", counter, WORKS, SAME),
        (2, "counter", counter, "EACCES", SAME),
        (-1, "cpu", whole, WORKS, SAME),
        (0, "cpu", whole, WORKS, SAME),
        (1, "cpu", whole, "EACCES", SAME),
        (2, "user-only", user_only, WORKS, SAME),
    )
    capable_at_2: tuple[tuple[str, str, Operation, Said], ...] = (
        (
            "raw",
            "CAP_PERFMON is enough to sample raw data since 5.8 if perf_event_paranoid is 2; before, it gives EACCES",
            raw,
            "EACCES",
        ),
        (
            "cpu",
            "CAP_PERFMON is enough to watch a CPU since 5.8 if perf_event_paranoid is 2; before, it gives EACCES",
            whole,
            "EACCES",
        ),
    )
    capable: tuple[tuple[str, str, set[Capability], Operation, Said, Later], ...] = (
        ("admin", "CAP_SYS_ADMIN is enough to open any perf event", {ADMIN}, raw, WORKS, SAME),
        (
            "bpf",
            "CAP_BPF is not enough to sample raw data at the default of perf_event_paranoid: EPERM at 1, EACCES at 3",
            {BPF},
            raw,
            "EPERM",
            {"5.10": "EACCES"},
        ),
    )
    order: tuple[tuple[str, str, str, Operation, str, Later], ...] = (
        (
            "size",
            "a perf event whose attribute is too small",
            ", before its rights are looked at",
            RawOpenEvent("event", (Part(4, 4, 63),)),
            "E2BIG",
            SAME,
        ),
        (
            "flags",
            "a perf event with unknown flags",
            ", before its rights are looked at",
            RawOpenEvent("event", (), flags=1 << 20),
            "EINVAL",
            SAME,
        ),
        (
            "period",
            "a perf event with a wrong period",
            IN_4_1,
            OpenEvent("event", PROBE, sample_period=1 << 63),
            "EINVAL",
            {"5.10": "EACCES"},
        ),
        (
            "task",
            "a perf event for a task that does not exist",
            IN_4_1,
            _counter(pid=1 << 30),
            "ESRCH",
            {"5.10": "EACCES"},
        ),
        ("id", "a perf event on trace event 0", IN_4_1, OpenEvent("event", 0), "EINVAL", {"5.10": "EACCES"}),
        (
            "id-for-cpu",
            "a perf event for a CPU on trace event 0",
            IN_4_1,
            OpenEvent("event", 0, pid=-1, cpu=0),
            "EINVAL",
            {"5.10": "EACCES"},
        ),
    )
    return (
        *(
            Clause(
                f"PEO-10.{what}-{'minus-1' if level < 0 else level}",
                f"{KINDS[what]} {_outcome(said, later)} by a process without capabilities if perf_event_paranoid "
                f"is {level}",
                (probe(), SetSetting(PARANOID, level), *by_user(expect(step, said, later))),
            )
            for level, what, step, said, later in levels
        ),
        *(
            Clause(
                f"PEO-10.{what}",
                sentence,
                (probe(), *by(USER, capabilities, expect(step, said, later))),
                given=LATER_DEFAULTS if later else {},
            )
            for what, sentence, capabilities, step, said, later in capable
        ),
        *(
            Clause(
                "PEO-10.perfmon",
                "CAP_PERFMON is not enough to sample raw data at the default of perf_event_paranoid in 4.1 (EPERM) and "
                "with Debian's patch (EACCES); in other kernels it is",
                (probe(), *by(USER, {PERFMON}, expect(raw, said))),
                since=since,
                until=until,
                given=given,
            )
            for said, since, until, given in patched("EPERM", "EACCES", {PARANOID: (2,)})
        ),
        *(
            Clause(
                "PEO-10.user-only-3",
                f"{KINDS['user-only']} can be opened by a process without capabilities if perf_event_paranoid is 3; "
                "with Debian's patch it gives EACCES",
                (probe(), SetSetting(PARANOID, 3), *by_user(expect(user_only, said))),
                since=since,
                until=until,
                given=given,
            )
            for said, since, until, given in patched(WORKS, "EACCES", {})
        ),
        *(
            Clause(
                f"PEO-10.perfmon-{what}",
                sentence,
                (probe(), SetSetting(PARANOID, 2), *by(USER, {PERFMON}, expect(step, said, {"5.10": WORKS}))),
            )
            for what, sentence, step, said in capable_at_2
        ),
        *(
            Clause(
                f"PEO-10.{what}-first",
                f"A process without capabilities gets {said} for {wrong}{then}",
                (probe(), *by_user(expect(step, said, later))),
                given=LATER_DEFAULTS if later else {},
            )
            for what, wrong, then, step, said, later in order
        ),
        Clause(
            "PEO-09.unprivileged",
            "A process may not open a perf event for another user's task: EACCES",
            (
                GetProcessId("root"),
                probe(),
                SetSetting(PARANOID, 1),
                *by_user(
                    expect(_counter(pid=1), "EACCES"),
                    expect(OpenEvent("event", PROBE, pid=Ref("root"), sample_type=COUNTING), "EACCES"),
                ),
            ),
        ),
        Clause(
            "PEO-09.ptrace",
            "CAP_SYS_PTRACE is enough to open a perf event for another user's task",
            (
                probe(),
                SetSetting(PARANOID, 1),
                *by(USER, {Capability.SYS_PTRACE}, expect(_counter(pid=1), WORKS)),
            ),
        ),
        Clause(
            "PEO-09.perfmon",
            "CAP_PERFMON is enough to open a perf event for another user's task since 5.9; before, it gives EACCES",
            (
                probe(),
                SetSetting(PARANOID, 1),
                *by(USER, {PERFMON}, expect(_counter(pid=1), "EACCES", {"5.10": WORKS})),
            ),
        ),
    )
