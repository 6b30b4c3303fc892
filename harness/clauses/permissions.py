"""Who may do what: capabilities, file modes, the settings and limits of those without capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.abi import perf
from harness.abi.capabilities import Capability
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, MAP, PROBE, PROGRAM, accepted, hits_are, in_child
from harness.essentials.parts import PRCTL, array, count_hits, on_our_prctl, prctl, probed, u32, u64
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
    LoadProgram,
    LookupElement,
    MapRing,
    MapType,
    NextKey,
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
from harness.script.processes import Become, GetProcessId, LimitLockedMemory
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
FILTER = accepted("filter", ProgramType.SOCKET_FILTER)


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return *_bpf(), *_kinds_of_programs(), *_files(), *_events(registers), *_settings(), *_memory()


def by(
    user: int, capabilities: frozenset[Capability] | set[Capability], *steps: Operation | Step
) -> tuple[Operation | Step, ...]:
    """A child becomes `user` with these capabilities and does these."""
    return in_child(expect(Become(user, frozenset(capabilities)), 0), *steps)


def by_user(*steps: Operation | Step) -> tuple[Operation | Step, ...]:
    """A child without any privilege does these."""
    return by(USER, frozenset(), *steps)


def _clause(id: str, sentence: str, *steps: Operation | Step, since: str = "4.1") -> Clause:
    """One that needs no kprobes."""
    return Clause(id, sentence, steps, NOTHING, since)


def _bpf() -> tuple[Clause, ...]:
    """SYS-01: bpf(2) is not for everybody."""
    made = (array("map"), UpdateElement(MAP, u32(0), u64(7)))
    denied: tuple[tuple[str, Operation, Said, Later], ...] = (
        ("create", array("other"), "EPERM", SAME),
        ("load", FILTER, "EPERM", SAME),
        ("lookup", LookupElement(MAP, u32(0), 8), "EPERM", {"6.1": u64(7)}),
        ("update", UpdateElement(MAP, u32(0), u64(1)), "EPERM", {"6.1": 0}),
        ("delete", DeleteElement(MAP, u32(0)), "EPERM", {"6.1": "EINVAL"}),
        ("next-key", NextKey(MAP, None, 4), "EPERM", {"6.1": u32(0)}),
        ("descriptor", LookupElement(-1, u32(0), 8), "EPERM", {"6.1": "EBADF"}),
        ("unknown", RawBpf(1000), "EPERM", {"6.1": "EINVAL"}),
        ("size", RawBpf(0, size=4097, length=48), "EPERM", {"6.12": "E2BIG"}),
        ("address", RawBpf(0, address=1 << 63), "EPERM", {"6.12": "EFAULT"}),
        ("type", CreateMap("other", MapType.UNSPEC, 4, 8, 1), "EPERM", {"6.12": "EINVAL"}),
        ("attributes", CreateMap("other", MapType.ARRAY, 3, 8, 1), "EPERM", {"6.12": "EINVAL"}),
    )
    return (
        *(
            _clause(f"SYS-01.{what}", "bpf(2) is not for the unprivileged", *made, *by_user(expect(step, said, later)))
            for what, step, said, later in denied
        ),
        _clause(
            "SYS-01.root", "user 0 alone is not enough", *by(0, {Capability.DAC_OVERRIDE}, expect(array("m"), "EPERM"))
        ),
        _clause("SYS-01.admin", "CAP_SYS_ADMIN is, for any user", *by(USER, {ADMIN}, expect(array("m"), WORKS))),
        _clause(
            "SYS-01.bpf",
            "since 5.8 CAP_BPF is",
            *by(USER, {BPF}, expect(array("m"), "EPERM", {"5.10": WORKS})),
        ),
        _clause("SYS-01.perfmon", "CAP_PERFMON is not", *by(USER, {PERFMON}, expect(array("m"), "EPERM"))),
    )


def _kinds_of_programs() -> tuple[Clause, ...]:
    rows: tuple[tuple[str, str, set[Capability], ProgramType, Said, Later], ...] = (
        ("filter", "CAP_BPF is enough for socket filters", {BPF}, ProgramType.SOCKET_FILTER, "EPERM", {"5.10": WORKS}),
        ("bpf", "CAP_BPF alone is not for programs on kprobes", {BPF}, ProgramType.KPROBE, "EPERM", SAME),
        ("perfmon", "nor is CAP_PERFMON alone", {PERFMON}, ProgramType.KPROBE, "EPERM", SAME),
        ("both", "both together are", {BPF, PERFMON}, ProgramType.KPROBE, "EPERM", {"5.10": WORKS}),
        ("admin", "so is CAP_SYS_ADMIN", {ADMIN}, ProgramType.KPROBE, WORKS, SAME),
        ("net", "programs of the network take CAP_NET_ADMIN too", {BPF}, ProgramType.SCHED_CLS, "EPERM", SAME),
        ("net-admin", "with it they load", {BPF, NET_ADMIN}, ProgramType.SCHED_CLS, "EPERM", {"5.10": WORKS}),
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
            "who lacks CAP_BPF loads 4096 instructions at most",
            SetSetting(UNPRIVILEGED_BPF, 0),
            *by_user(
                expect(LoadProgram("most", ProgramType.SOCKET_FILTER, most), WORKS),
                expect(LoadProgram("more", ProgramType.SOCKET_FILTER, more), "E2BIG"),
            ),
            since="5.10",
        ),
        _clause(
            "LOAD-06.capable",
            "who has it loads more",
            *by(USER, {BPF}, expect(LoadProgram("more", ProgramType.SOCKET_FILTER, more), WORKS)),
            since="5.10",
        ),
    )  # fmt: skip


def _files() -> tuple[Clause, ...]:
    """tracefs is root's by its directory's mode; nothing behind it asks for a capability."""
    return (
        Clause("KP-22", "probes are made by whoever may open the file", by_user(expect(_probe(), "EACCES"))),
        Clause(
            "KP-22.override",
            "that is CAP_DAC_OVERRIDE, and nothing more",
            by(USER, {Capability.DAC_OVERRIDE}, expect(_probe(), WORKS), expect(RemoveKprobe(PROBE), 0)),
        ),
        Clause("KP-22.admin", "CAP_SYS_ADMIN does not help", by(USER, {ADMIN}, expect(_probe(), "EACCES"))),
        Clause("KP-22.root", "user 0 needs no capability", by(0, frozenset(), expect(_probe(), WORKS))),
        Clause("KP-22.remove", "nor are they removed", (_probe(), *by_user(expect(RemoveKprobe(PROBE), "EACCES")))),
        _clause(
            "KP-18.unprivileged",
            "ids of trace events cannot be read either",
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
            "an unprivileged process that opens the trace event for itself, and ends, takes root's program away in 4.1",
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
            "an attempt to sample raw data that is denied leaves the program alone",
            (*counted, SetSetting(PARANOID, 1), *by_user(expect(OpenEvent("e", PROBE), "EPERM")), prctl(), hits_are(1)),
        ),
        Clause(
            "DET-03.cpu",
            "an attempt to watch a CPU that is denied takes the program away, in 4.1",
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
            "who holds both descriptors may attach, enable, disable and read, whoever that is",
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
        ("raw", "below 3 CAP_PERFMON is enough, since 5.8", raw, "EACCES"),
        ("cpu", "for whole CPUs, too", whole, "EACCES"),
    )
    capable: tuple[tuple[str, str, set[Capability], Operation, Said, Later], ...] = (
        ("admin", "CAP_SYS_ADMIN is enough", {ADMIN}, raw, WORKS, SAME),
        ("perfmon", "CAP_PERFMON is not, at the default of either", {PERFMON}, raw, "EPERM", {"5.10": "EACCES"}),
        ("bpf", "nor is CAP_BPF", {BPF}, raw, "EPERM", {"5.10": "EACCES"}),
    )
    order: tuple[tuple[str, Operation, Said, Later], ...] = (
        ("size", RawOpenEvent("event", (Part(4, 4, 63),)), "E2BIG", SAME),
        ("flags", RawOpenEvent("event", (), flags=1 << 20), "EINVAL", SAME),
        ("period", OpenEvent("event", PROBE, sample_period=1 << 63), "EINVAL", {"5.10": "EACCES"}),
        ("task", _counter(pid=1 << 30), "ESRCH", {"5.10": "EACCES"}),
        ("id", OpenEvent("event", 0), "EINVAL", {"5.10": "EACCES"}),
        ("id-for-cpu", OpenEvent("event", 0, pid=-1, cpu=0), "EINVAL", {"5.10": "EACCES"}),
    )
    return (
        *(
            Clause(
                f"PEO-10.{what}-{'minus-1' if level < 0 else level}",
                "what perf_event_paranoid leaves to the unprivileged",
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
                "what is looked at before the caller's right, and what behind it",
                (_probe(), *by_user(expect(step, said, later))),
            )
            for what, step, said, later in order
        ),
        Clause(
            "PEO-09.unprivileged",
            "another user's task is nobody's business",
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
            "but CAP_SYS_PTRACE's",
            (
                _probe(),
                SetSetting(PARANOID, 1),
                *by(USER, {Capability.SYS_PTRACE}, expect(_counter(pid=1), WORKS)),
            ),
        ),
        Clause(
            "PEO-09.perfmon",
            "and since 5.9 CAP_PERFMON's",
            (
                _probe(),
                SetSetting(PARANOID, 1),
                *by(USER, {PERFMON}, expect(_counter(pid=1), "EACCES", {"5.10": WORKS})),
            ),
        ),
    )


def _settings() -> tuple[Clause, ...]:
    defaults: tuple[tuple[str, str, Said, Later], ...] = (
        ("SYSCTL-02", PARANOID, 1, {"5.10": 3}),
        ("SYSCTL-03", "kernel/kptr_restrict", 0, SAME),
        ("SYSCTL-04", UNPRIVILEGED_BPF, "ENOENT", {"5.10": 2}),
        ("SYSCTL-06", "kernel/perf_event_max_sample_rate", 100_000, SAME),
        ("SYSCTL-06.locked", "kernel/perf_event_mlock_kb", 516, SAME),
    )
    return (
        *(_clause(id, "a default", expect(ReadSetting(path), said, later)) for id, path, said, later in defaults),
        _clause(
            "SYSCTL-02.set",
            "root may change it, nobody else",
            expect(SetSetting(PARANOID, 0), 0),
            expect(ReadSetting(PARANOID), 0),
            *by(USER, {ADMIN}, expect(SetSetting(PARANOID, 1), "EACCES")),
            expect(ReadSetting(PARANOID), 0),
        ),
        _clause(
            "SYSCTL-04.off",
            "with 0 everybody makes maps and loads socket filters, and uses them",
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
            "but no programs on kprobes",
            (SetSetting(UNPRIVILEGED_BPF, 0), *by_user(expect(accepted("program"), "EPERM"))),
            frozenset({Need.KPROBES}),
            "5.10",
        ),
        _clause(
            "SYSCTL-04.back",
            "2 can be taken back, unlike 1",
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
            "maps count in 5.10, root's too",
            *in_child(none, expect(array("map"), WORKS, {"5.10": "EPERM", "6.1": WORKS})),
        ),
        _clause(
            "MEMLOCK-01.hash",
            "of any type",
            *in_child(none, expect(CreateMap("map", MapType.HASH, 4, 8, 1), WORKS, {"5.10": "EPERM", "6.1": WORKS})),
        ),
        _clause(
            "MEMLOCK-01.order",
            "what is wrong with the map comes first",
            *in_child(none, expect(CreateMap("map", MapType.ARRAY, 3, 8, 1), "EINVAL")),
        ),
        _clause(
            "MEMLOCK-01.program",
            "so do programs",
            *in_child(none, expect(FILTER, WORKS, {"5.10": "EPERM", "6.1": WORKS})),
        ),
        Clause(
            "MEMLOCK-02",
            "a user's rings take what perf_event_mlock_kb allows, and no more than that without a limit's leave",
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
            "the limit's leave is for what is beyond",
            (*event, *by_user(expect(LimitLockedMemory(1 << 21), 0), expect(MapRing("ring", EVENT, LARGE), 0))),
            ALL_CPUS,
        ),
        Clause(
            "MEMLOCK-02.capable",
            "CAP_IPC_LOCK needs no leave",
            (*event, *by(USER, {Capability.IPC_LOCK}, none, expect(MapRing("ring", EVENT, LARGE), 0))),
            ALL_CPUS,
        ),
        Clause(
            "MEMLOCK-02.trusting",
            "nor does anybody where perf_event_paranoid is -1",
            (*event, SetSetting(PARANOID, -1), *by_user(none, expect(MapRing("ring", EVENT, LARGE), 0))),
            ALL_CPUS,
        ),
    )
