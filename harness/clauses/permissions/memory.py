# SPDX-License-Identifier: MIT
"""RLIMIT_MEMLOCK and perf_event_mlock_kb: the memory that a user may lock."""

from __future__ import annotations

from harness.abi.capabilities import Capability
from harness.clauses.parts import EVENT, PROBE, in_child
from harness.clauses.permissions.parts import FILTER, PARANOID, USER, by, by_user, clause, probe
from harness.core_scripts.parts import array
from harness.script.clause import KPROBES, WORKS, Clause, expect
from harness.script.needs import Need
from harness.script.operations import (
    CreateMap,
    MapRing,
    MapType,
    OpenEvent,
)
from harness.script.processes import LimitLockedMemory
from harness.script.surroundings import SetSetting

LARGE = 512
"""The pages of a ring for which perf_event_mlock_kb, 516 a CPU, is not enough on one CPU nor on two."""
ALL_CPUS = KPROBES | {Need.TWO_CPUS}
"""The pages for rings are counted by CPUs that run: perf_mmap(), kernel/events/core.c."""


def memory_clauses() -> tuple[Clause, ...]:
    """Returns MEMLOCK: what counts against RLIMIT_MEMLOCK."""
    none = expect(LimitLockedMemory(0), 0)
    event = (probe(), OpenEvent("event", PROBE))
    return (
        clause(
            "MEMLOCK-01.map",
            "An array counts against RLIMIT_MEMLOCK in 5.10, root's too, and gives EPERM beyond; not in 4.1 "
            "nor since 5.11",
            *in_child(none, expect(array("map"), WORKS, {"5.10": "EPERM", "6.1": WORKS})),
        ),
        clause(
            "MEMLOCK-01.hash",
            "A hash map counts against RLIMIT_MEMLOCK in 5.10, root's too, and gives EPERM beyond; not in "
            "4.1 nor since 5.11",
            *in_child(none, expect(CreateMap("map", MapType.HASH, 4, 8, 1), WORKS, {"5.10": "EPERM", "6.1": WORKS})),
        ),
        clause(
            "MEMLOCK-01.order",
            "BPF_MAP_CREATE looks at the sizes before RLIMIT_MEMLOCK: wrong ones give EINVAL beyond the limit",
            *in_child(none, expect(CreateMap("map", MapType.ARRAY, 3, 8, 1), "EINVAL")),
        ),
        clause(
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
