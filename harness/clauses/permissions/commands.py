# SPDX-License-Identifier: MIT
"""Permissions for bpf(2), tracefs and the settings of /proc/sys."""

from __future__ import annotations

from harness.abi.capabilities import Capability
from harness.clauses.parts import MAP, PROBE, accepted
from harness.clauses.permissions.parts import (
    ADMIN,
    BPF,
    CLOSED,
    FILTER,
    NET_ADMIN,
    PARANOID,
    PERFMON,
    RESTRICT,
    SAME,
    UNPRIVILEGED_BPF,
    USER,
    Given,
    Later,
    by,
    by_user,
    clause,
    probe,
)
from harness.core_scripts.parts import array, u32, u64
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.script.clause import KPROBES, NOTHING, WORKS, Clause, Said, expect
from harness.script.needs import Need
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    FindTracepoint,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapType,
    Operation,
    ProgramType,
    RawBpf,
    RemoveKprobe,
    UpdateElement,
)
from harness.script.surroundings import ReadSetting, SetSetting

OPEN = "; since 6.1 whoever has the map's descriptor may"


def bpf_clauses() -> tuple[Clause, ...]:
    """Returns SYS-01: bpf(2) is not for everybody."""
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
            "; since 6.5 E2BIG",
            RawBpf(0, size=4097, length=48),
            "EPERM",
            {"6.6": "E2BIG"},
        ),
        (
            "address",
            "bpf(2) with an attribute at a kernel address",
            "; since 6.5 EFAULT",
            RawBpf(0, address=1 << 63),
            "EPERM",
            {"6.6": "EFAULT"},
        ),
        (
            "type",
            "BPF_MAP_CREATE with type 0",
            "; since 6.5 EINVAL",
            CreateMap("other", MapType.UNSPEC, 4, 8, 1),
            "EPERM",
            {"6.6": "EINVAL"},
        ),
        (
            "attributes",
            "BPF_MAP_CREATE with wrong sizes",
            "; since 6.5 EINVAL",
            CreateMap("other", MapType.ARRAY, 3, 8, 1),
            "EPERM",
            {"6.6": "EINVAL"},
        ),
    )
    return (
        *(
            clause(
                f"SYS-01.{what}",
                f"{call} by a process without capabilities gives EPERM{then}",
                *made,
                *by_user(expect(step, said, later)),
                given=CLOSED,
            )
            for what, call, then, step, said, later in denied
        ),
        clause(
            "SYS-01.root",
            "User 0 without CAP_SYS_ADMIN and CAP_BPF may not make maps: EPERM",
            *by(0, {Capability.DAC_OVERRIDE}, expect(array("m"), "EPERM")),
            given=CLOSED,
        ),
        clause(
            "SYS-01.admin",
            "CAP_SYS_ADMIN is enough to make maps, for any user",
            *by(USER, {ADMIN}, expect(array("m"), WORKS)),
        ),
        clause(
            "SYS-01.bpf",
            "CAP_BPF is enough to make maps since 5.8; before, it gives EPERM",
            *by(USER, {BPF}, expect(array("m"), "EPERM", {"5.10": WORKS})),
        ),
        clause(
            "SYS-01.perfmon",
            "CAP_PERFMON is not enough to make maps: EPERM",
            *by(USER, {PERFMON}, expect(array("m"), "EPERM")),
            given=CLOSED,
        ),
    )


def kinds_of_programs_clauses() -> tuple[Clause, ...]:
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
        clause(
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
        clause(
            "LOAD-06.capable",
            "A process with CAP_BPF may load more than 4096 instructions",
            *by(USER, {BPF}, expect(LoadProgram("more", ProgramType.SOCKET_FILTER, more), WORKS)),
            since="5.10",
        ),
    )  # fmt: skip


def files_clauses() -> tuple[Clause, ...]:
    """Returns clauses about tracefs, which is root's by its directory's mode; nothing behind it asks for a
    capability."""
    return (
        Clause(
            "KP-22",
            "A process that may not open kprobe_events makes no probe: EACCES",
            by_user(expect(probe(), "EACCES")),
        ),
        Clause(
            "KP-22.override",
            "CAP_DAC_OVERRIDE is enough to make and to remove a probe",
            by(USER, {Capability.DAC_OVERRIDE}, expect(probe(), WORKS), expect(RemoveKprobe(PROBE), 0)),
        ),
        Clause(
            "KP-22.admin",
            "CAP_SYS_ADMIN without CAP_DAC_OVERRIDE is not enough for another user than root to make a probe: EACCES",
            by(USER, {ADMIN}, expect(probe(), "EACCES")),
        ),
        Clause("KP-22.root", "User 0 makes probes without any capability", by(0, frozenset(), expect(probe(), WORKS))),
        Clause(
            "KP-22.remove",
            "A process that may not open kprobe_events removes no probe: EACCES",
            (probe(), *by_user(expect(RemoveKprobe(PROBE), "EACCES"))),
        ),
        clause(
            "KP-18.unprivileged",
            "A process without capabilities may not read the id of a trace event: EACCES",
            *by_user(expect(FindTracepoint("tracepoint", "sched/sched_switch"), "EACCES")),
        ),
    )


def settings_clauses() -> tuple[Clause, ...]:
    paranoia, unprivileged = "1 in 4.1, then 2, and 3 with Debian's patch", "2, or 0; 4.1 does not have it (ENOENT)"
    defaults: tuple[tuple[str, str, str, Said, str, str | None, Given], ...] = (
        ("SYSCTL-02", PARANOID, paranoia, 1, "4.1", "4.1", {PARANOID: (1,)}),
        ("SYSCTL-02", PARANOID, paranoia, 2, "5.10", None, {RESTRICT: (0,), PARANOID: (2,)}),
        ("SYSCTL-02", PARANOID, paranoia, 3, "5.10", None, {RESTRICT: (1,), PARANOID: (3,)}),
        ("SYSCTL-03", "kernel/kptr_restrict", "0", 0, "4.1", None, {"kernel/kptr_restrict": (0,)}),
        ("SYSCTL-04", UNPRIVILEGED_BPF, unprivileged, "ENOENT", "4.1", "4.1", {}),
        ("SYSCTL-04", UNPRIVILEGED_BPF, unprivileged, 2, "5.10", None, {UNPRIVILEGED_BPF: (2,)}),
        ("SYSCTL-04", UNPRIVILEGED_BPF, unprivileged, 0, "5.10", None, {UNPRIVILEGED_BPF: (0,)}),
        ("SYSCTL-06", "kernel/perf_event_max_sample_rate", "100000", 100_000, "4.1", None, {}),
        ("SYSCTL-06.locked", "kernel/perf_event_mlock_kb", "516", 516, "4.1", None, {}),
    )
    return (
        *(
            clause(
                id,
                f"The default of {path.replace('/', '.')} is {default}",
                expect(ReadSetting(path), said),
                since=since,
                until=until,
                given=given,
            )
            for id, path, default, said, since, until, given in defaults
        ),
        clause(
            "SYSCTL-02.set",
            "Writing to perf_event_paranoid takes user 0; another user with CAP_SYS_ADMIN gets EACCES",
            expect(SetSetting(PARANOID, 0), 0),
            expect(ReadSetting(PARANOID), 0),
            *by(USER, {ADMIN}, expect(SetSetting(PARANOID, 1), "EACCES")),
            expect(ReadSetting(PARANOID), 0),
        ),
        clause(
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
        clause(
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
