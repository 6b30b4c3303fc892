"""Who may do what: capabilities, file modes, the settings and limits of those without capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.abi import perf
from harness.abi.capabilities import Capability
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, MAP, PROBE, PROGRAM, accepted, hits_are, in_child
from harness.core_scripts.parts import PRCTL, array, count_hits, on_our_prctl, prctl, probed, u32, u64
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.script.clause import KPROBES, NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.needs import Need
from harness.script.operations import (
    Attach,
    CreateKprobe,
    CreateMap,
    DeleteElement,
    Disable,
    Enable,
    FindTracepoint,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapRing,
    MapType,
    OpenEvent,
    Operation,
    Part,
    ProgramType,
    RawBpf,
    RawOpenEvent,
    ReadCount,
    Ref,
    RemoveKprobe,
    SampleType,
    UpdateElement,
)
from harness.script.processes import GetProcessId, LimitLockedMemory, SetCredentials
from harness.script.surroundings import ReadSetting, SetSetting

USER = 1000
PARANOID, UNPRIVILEGED_BPF = "kernel/perf_event_paranoid", "kernel/unprivileged_bpf_disabled"
ADMIN, NET_ADMIN, BPF, PERFMON = Capability.SYS_ADMIN, Capability.NET_ADMIN, Capability.BPF, Capability.PERFMON
LARGE = 512
"""Pages of a ring for which perf_event_mlock_kb, 516 a CPU, is not enough on one CPU nor on two."""
COUNTING = SampleType.TID | SampleType.CPU
"""What a sample may hold without being raw."""
Later = Mapping[str, Said]
SAME: Later = MappingProxyType({})
OPEN = "; since 6.1 whoever has the map's descriptor may"
FILTER = accepted("filter", ProgramType.SOCKET_FILTER)


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return *_bpf(), *_kinds_of_programs(), *_files(), *_events(registers), *_settings(), *_memory()


def by(
    user: int, capabilities: frozenset[Capability] | set[Capability], *steps: Operation | Step
) -> tuple[Operation | Step, ...]:
    """A child becomes `user` with these capabilities and does these."""
    return in_child(expect(SetCredentials(user, frozenset(capabilities)), 0), *steps)


def by_user(*steps: Operation | Step) -> tuple[Operation | Step, ...]:
    """A child without any privilege does these."""
    return by(USER, frozenset(), *steps)


def _clause(id: str, sentence: str, *steps: Operation | Step, since: str = "4.1") -> Clause:
    """One that needs no kprobes."""
    return Clause(id, sentence, steps, NOTHING, since)


def _bpf() -> tuple[Clause, ...]:
    """SYS-01: bpf(2) is not for everybody."""
    made = (array("map"), UpdateElement(MAP, u32(0), u64(7)))
    denied: tuple[tuple[str, str, str, Operation, Said, Later], ...] = (
        ("create", "BPF_MAP_CREATE", "", array("other"), "EPERM", SAME),
        ("load", "BPF_PROG_LOAD", "", FILTER, "EPERM", SAME),
        ("lookup", "BPF_MAP_LOOKUP_ELEM", OPEN, LookupElement(MAP, u32(0), 8), "EPERM", {"6.1": u64(7)}),
        ("update", "BPF_MAP_UPDATE_ELEM", OPEN, UpdateElement(MAP, u32(0), u64(1)), "EPERM", {"6.1": 0}),
        ("delete", "BPF_MAP_DELETE_ELEM", OPEN, DeleteElement(MAP, u32(0)), "EPERM", {"6.1": "EINVAL"}),
        ("next-key", "BPF_MAP_GET_NEXT_KEY", OPEN, GetNextKey(MAP, None, 4), "EPERM", {"6.1": u32(0)}),
        (
            "descriptor",
            "BPF_MAP_LOOKUP_ELEM on a closed descriptor",
            "; since 6.1 EBADF",
            LookupElement(-1, u32(0), 8),
            "EPERM",
            {"6.1": "EBADF"},
        ),
        ("unknown", "bpf(2) with an unknown command", "; since 6.1 EINVAL", RawBpf(1000), "EPERM", {"6.1": "EINVAL"}),
        (
            "size",
            "bpf(2) with an attribute larger than a page",
            "; since 6.12 E2BIG",
            RawBpf(0, size=4097, length=48),
            "EPERM",
            {"6.12": "E2BIG"},
        ),
        (
            "address",
            "bpf(2) with an attribute at a kernel address",
            "; since 6.12 EFAULT",
            RawBpf(0, address=1 << 63),
            "EPERM",
            {"6.12": "EFAULT"},
        ),
        (
            "type",
            "BPF_MAP_CREATE with type 0",
            "; since 6.12 EINVAL",
            CreateMap("other", MapType.UNSPEC, 4, 8, 1),
            "EPERM",
            {"6.12": "EINVAL"},
        ),
        (
            "attributes",
            "BPF_MAP_CREATE with wrong sizes",
            "; since 6.12 EINVAL",
            CreateMap("other", MapType.ARRAY, 3, 8, 1),
            "EPERM",
            {"6.12": "EINVAL"},
        ),
    )
    return (
        *(
            _clause(
                f"SYS-01.{what}",
                f"{call} by a process without capabilities gives EPERM{then}",
                *made,
                *by_user(expect(step, said, later)),
            )
            for what, call, then, step, said, later in denied
        ),
        _clause(
            "SYS-01.root",
            "User 0 without CAP_SYS_ADMIN and CAP_BPF may not make maps: EPERM",
            *by(0, {Capability.DAC_OVERRIDE}, expect(array("m"), "EPERM")),
        ),
        _clause(
            "SYS-01.admin",
            "CAP_SYS_ADMIN is enough to make maps, for any user",
            *by(USER, {ADMIN}, expect(array("m"), WORKS)),
        ),
        _clause(
            "SYS-01.bpf",
            "CAP_BPF is enough to make maps since 5.8; before, it gives EPERM",
            *by(USER, {BPF}, expect(array("m"), "EPERM", {"5.10": WORKS})),
        ),
        _clause(
            "SYS-01.perfmon",
            "CAP_PERFMON is not enough to make maps: EPERM",
            *by(USER, {PERFMON}, expect(array("m"), "EPERM")),
        ),
    )


def _kinds_of_programs() -> tuple[Clause, ...]:
    rows: tuple[tuple[str, str, set[Capability], ProgramType, Said, Later], ...] = (
        (
            "filter",
            "CAP_BPF is enough to load a socket filter since 5.8; before, it gives EPERM",
            {BPF},
            ProgramType.SOCKET_FILTER,
            "EPERM",
            {"5.10": WORKS},
        ),
        (
            "bpf",
            "CAP_BPF alone is not enough to load a program on a kprobe: EPERM",
            {BPF},
            ProgramType.KPROBE,
            "EPERM",
            SAME,
        ),
        (
            "perfmon",
            "CAP_PERFMON alone is not enough to load a program on a kprobe: EPERM",
            {PERFMON},
            ProgramType.KPROBE,
            "EPERM",
            SAME,
        ),
        (
            "both",
            "CAP_BPF and CAP_PERFMON are enough to load a program on a kprobe since 5.8; before, they give EPERM",
            {BPF, PERFMON},
            ProgramType.KPROBE,
            "EPERM",
            {"5.10": WORKS},
        ),
        ("admin", "CAP_SYS_ADMIN is enough to load a program on a kprobe", {ADMIN}, ProgramType.KPROBE, WORKS, SAME),
        (
            "net",
            "CAP_BPF alone is not enough to load a traffic classifier: EPERM",
            {BPF},
            ProgramType.SCHED_CLS,
            "EPERM",
            SAME,
        ),
        (
            "net-admin",
            "CAP_BPF and CAP_NET_ADMIN are enough to load a traffic classifier since 5.8; before, they give EPERM",
            {BPF, NET_ADMIN},
            ProgramType.SCHED_CLS,
            "EPERM",
            {"5.10": WORKS},
        ),
    )
    most, more = (program([mov64_imm(R0, 0)] * moves, exit_()) for moves in (4095, 4096))
    return (
        *(
            Clause(
                f"LOAD-17.{what}",
                sentence,
                by(USER, capabilities, expect(accepted("program", type), said, later)),
                KPROBES if type is ProgramType.KPROBE else NOTHING,
            )
            for what, sentence, capabilities, type, said, later in rows
        ),
        _clause(
            "LOAD-06.unprivileged",
            "A process without CAP_BPF may load 4096 instructions if unprivileged_bpf_disabled is 0; one "
            "more gives E2BIG",
            SetSetting(UNPRIVILEGED_BPF, 0),
            *by_user(
                expect(LoadProgram("most", ProgramType.SOCKET_FILTER, most), WORKS),
                expect(LoadProgram("more", ProgramType.SOCKET_FILTER, more), "E2BIG"),
            ),
            since="5.10",
        ),
        _clause(
            "LOAD-06.capable",
            "A process with CAP_BPF may load more than 4096 instructions",
            *by(USER, {BPF}, expect(LoadProgram("more", ProgramType.SOCKET_FILTER, more), WORKS)),
            since="5.10",
        ),
    )  # fmt: skip


def _files() -> tuple[Clause, ...]:
    """tracefs is root's by its directory's mode; nothing behind it asks for a capability."""
    return (
        Clause(
            "KP-22",
            "A process that may not open kprobe_events makes no probe: EACCES",
            by_user(expect(_probe(), "EACCES")),
        ),
        Clause(
            "KP-22.override",
            "CAP_DAC_OVERRIDE is enough to make and to remove a probe",
            by(USER, {Capability.DAC_OVERRIDE}, expect(_probe(), WORKS), expect(RemoveKprobe(PROBE), 0)),
        ),
        Clause(
            "KP-22.admin",
            "CAP_SYS_ADMIN without CAP_DAC_OVERRIDE is not enough for another user than root to make a probe: EACCES",
            by(USER, {ADMIN}, expect(_probe(), "EACCES")),
        ),
        Clause("KP-22.root", "User 0 makes probes without any capability", by(0, frozenset(), expect(_probe(), WORKS))),
        Clause(
            "KP-22.remove",
            "A process that may not open kprobe_events removes no probe: EACCES",
            (_probe(), *by_user(expect(RemoveKprobe(PROBE), "EACCES"))),
        ),
        _clause(
            "KP-18.unprivileged",
            "A process without capabilities may not read the id of a trace event: EACCES",
            *by_user(expect(FindTracepoint("tracepoint", "sched/sched_switch"), "EACCES")),
        ),
    )


def _probe() -> CreateKprobe:
    return CreateKprobe("probe", PRCTL)


def _events(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    return (
        *_open_rows(),
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
                _probe(),
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
    """An event without raw data."""
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


def _open_rows() -> tuple[Clause, ...]:
    """PEO-10: what perf_event_paranoid leaves to the unprivileged."""
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
        (3, "user-only", user_only, WORKS, {"5.10": "EACCES"}),
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
            "perfmon",
            "CAP_PERFMON is not enough to sample raw data at the default of perf_event_paranoid: EPERM at 1, "
            "EACCES at 3",
            {PERFMON},
            raw,
            "EPERM",
            {"5.10": "EACCES"},
        ),
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
                (_probe(), SetSetting(PARANOID, level), *by_user(expect(step, said, later))),
            )
            for level, what, step, said, later in levels
        ),
        *(
            Clause(f"PEO-10.{what}", sentence, (_probe(), *by(USER, capabilities, expect(step, said, later))))
            for what, sentence, capabilities, step, said, later in capable
        ),
        *(
            Clause(
                f"PEO-10.perfmon-{what}",
                sentence,
                (_probe(), SetSetting(PARANOID, 2), *by(USER, {PERFMON}, expect(step, said, {"5.10": WORKS}))),
            )
            for what, sentence, step, said in capable_at_2
        ),
        *(
            Clause(
                f"PEO-10.{what}-first",
                f"A process without capabilities gets {said} for {wrong}{then}",
                (_probe(), *by_user(expect(step, said, later))),
            )
            for what, wrong, then, step, said, later in order
        ),
        Clause(
            "PEO-09.unprivileged",
            "A process may not open a perf event for another user's task: EACCES",
            (
                GetProcessId("root"),
                _probe(),
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
                _probe(),
                SetSetting(PARANOID, 1),
                *by(USER, {Capability.SYS_PTRACE}, expect(_counter(pid=1), WORKS)),
            ),
        ),
        Clause(
            "PEO-09.perfmon",
            "CAP_PERFMON is enough to open a perf event for another user's task since 5.9; before, it gives EACCES",
            (
                _probe(),
                SetSetting(PARANOID, 1),
                *by(USER, {PERFMON}, expect(_counter(pid=1), "EACCES", {"5.10": WORKS})),
            ),
        ),
    )


def _settings() -> tuple[Clause, ...]:
    defaults: tuple[tuple[str, str, str, Said, Later], ...] = (
        ("SYSCTL-02", PARANOID, "1 in 4.1, and 3 in Debian's kernels", 1, {"5.10": 3}),
        ("SYSCTL-03", "kernel/kptr_restrict", "0", 0, SAME),
        ("SYSCTL-04", UNPRIVILEGED_BPF, "2 in Debian's kernels; 4.1 does not have it (ENOENT)", "ENOENT", {"5.10": 2}),
        ("SYSCTL-06", "kernel/perf_event_max_sample_rate", "100000", 100_000, SAME),
        ("SYSCTL-06.locked", "kernel/perf_event_mlock_kb", "516", 516, SAME),
    )
    return (
        *(
            _clause(id, f"The default of {path.replace('/', '.')} is {default}", expect(ReadSetting(path), said, later))
            for id, path, default, said, later in defaults
        ),
        _clause(
            "SYSCTL-02.set",
            "Writing to perf_event_paranoid takes user 0; another user with CAP_SYS_ADMIN gets EACCES",
            expect(SetSetting(PARANOID, 0), 0),
            expect(ReadSetting(PARANOID), 0),
            *by(USER, {ADMIN}, expect(SetSetting(PARANOID, 1), "EACCES")),
            expect(ReadSetting(PARANOID), 0),
        ),
        _clause(
            "SYSCTL-04.off",
            "A process without capabilities may make and use maps and load socket filters if "
            "unprivileged_bpf_disabled is 0",
            expect(SetSetting(UNPRIVILEGED_BPF, 0), 0),
            *by_user(
                expect(array("map"), WORKS),
                expect(CreateMap("hash", MapType.HASH, 4, 8, 1), WORKS),
                expect(UpdateElement(MAP, u32(0), u64(5)), 0),
                expect(LookupElement(MAP, u32(0), 8), u64(5)),
                expect(FILTER, WORKS),
                expect(accepted("classifier", ProgramType.SCHED_CLS), "EPERM"),
            ),
            since="5.10",
        ),
        Clause(
            "SYSCTL-04.kprobe",
            "A process without capabilities may not load programs on kprobes, even if "
            "unprivileged_bpf_disabled is 0: EPERM",
            (SetSetting(UNPRIVILEGED_BPF, 0), *by_user(expect(accepted("program"), "EPERM"))),
            frozenset({Need.KPROBES}),
            "5.10",
        ),
        _clause(
            "SYSCTL-04.back",
            "Writing 2 to unprivileged_bpf_disabled after 0 keeps processes without capabilities from making "
            "maps again",
            SetSetting(UNPRIVILEGED_BPF, 0),
            SetSetting(UNPRIVILEGED_BPF, 2),
            expect(ReadSetting(UNPRIVILEGED_BPF), 2),
            *by_user(expect(array("map"), "EPERM")),
            since="5.10",
        ),
    )


ALL_CPUS = KPROBES | {Need.TWO_CPUS}
"""What is free for rings is counted by CPUs that run: perf_mmap(), kernel/events/core.c."""


def _memory() -> tuple[Clause, ...]:
    """MEMLOCK: what counts against RLIMIT_MEMLOCK."""
    none = expect(LimitLockedMemory(0), 0)
    event = (_probe(), OpenEvent("event", PROBE))
    return (
        _clause(
            "MEMLOCK-01.map",
            "An array counts against RLIMIT_MEMLOCK in 5.10, root's too, and gives EPERM beyond; not in 4.1 "
            "nor since 5.11",
            *in_child(none, expect(array("map"), WORKS, {"5.10": "EPERM", "6.1": WORKS})),
        ),
        _clause(
            "MEMLOCK-01.hash",
            "A hash map counts against RLIMIT_MEMLOCK in 5.10, root's too, and gives EPERM beyond; not in "
            "4.1 nor since 5.11",
            *in_child(none, expect(CreateMap("map", MapType.HASH, 4, 8, 1), WORKS, {"5.10": "EPERM", "6.1": WORKS})),
        ),
        _clause(
            "MEMLOCK-01.order",
            "BPF_MAP_CREATE looks at the sizes before RLIMIT_MEMLOCK: wrong ones give EINVAL beyond the limit",
            *in_child(none, expect(CreateMap("map", MapType.ARRAY, 3, 8, 1), "EINVAL")),
        ),
        _clause(
            "MEMLOCK-01.program",
            "A program counts against RLIMIT_MEMLOCK in 5.10, root's too, and gives EPERM beyond; not in 4.1 "
            "nor since 5.11",
            *in_child(none, expect(FILTER, WORKS, {"5.10": "EPERM", "6.1": WORKS})),
        ),
        Clause(
            "MEMLOCK-02",
            "A user may map rings of perf_event_mlock_kb for each CPU; more gives EPERM if RLIMIT_MEMLOCK is 0",
            (
                *event,
                *by_user(
                    none,
                    expect(MapRing("large", EVENT, LARGE), "EPERM"),
                    expect(MapRing("ring", EVENT, 128), 0),
                ),
            ),
            ALL_CPUS,
        ),
        Clause(
            "MEMLOCK-02.limit",
            "RLIMIT_MEMLOCK counts only what a user's rings take beyond perf_event_mlock_kb",
            (*event, *by_user(expect(LimitLockedMemory(1 << 21), 0), expect(MapRing("ring", EVENT, LARGE), 0))),
            ALL_CPUS,
        ),
        Clause(
            "MEMLOCK-02.capable",
            "CAP_IPC_LOCK lets a user map rings beyond perf_event_mlock_kb and RLIMIT_MEMLOCK",
            (*event, *by(USER, {Capability.IPC_LOCK}, none, expect(MapRing("ring", EVENT, LARGE), 0))),
            ALL_CPUS,
        ),
        Clause(
            "MEMLOCK-02.trusting",
            "A perf_event_paranoid of -1 lets every user map rings beyond perf_event_mlock_kb and RLIMIT_MEMLOCK",
            (*event, SetSetting(PARANOID, -1), *by_user(none, expect(MapRing("ring", EVENT, LARGE), 0))),
            ALL_CPUS,
        ),
    )
