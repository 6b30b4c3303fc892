# SPDX-License-Identifier: MIT
"""Parts that clauses about permissions share: users, capabilities, and steps of a child that has them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.abi.capabilities import Capability
from harness.clauses.parts import accepted, in_child
from harness.core_scripts.parts import PRCTL
from harness.script.clause import NOTHING, Clause, Said, Step, expect
from harness.script.operations import (
    CreateKprobe,
    Operation,
    ProgramType,
)
from harness.script.processes import SetCredentials

USER = 1000
PARANOID, UNPRIVILEGED_BPF = "kernel/perf_event_paranoid", "kernel/unprivileged_bpf_disabled"
ADMIN, NET_ADMIN, BPF, PERFMON = Capability.SYS_ADMIN, Capability.NET_ADMIN, Capability.BPF, Capability.PERFMON
Later = Mapping[str, Said]
Given = Mapping[str, tuple[int, ...]]
RESTRICT = "perf-event-restrict"
CLOSED: Given = MappingProxyType({UNPRIVILEGED_BPF: (2, 1)})
"""The setting kernel.unprivileged_bpf_disabled is not 0, where it exists."""
SAME: Later = MappingProxyType({})
FILTER = accepted("filter", ProgramType.SOCKET_FILTER)


def by(
    user: int, capabilities: frozenset[Capability] | set[Capability], *steps: Operation | Step
) -> tuple[Operation | Step, ...]:
    """Lets a child become `user` with these capabilities and do these steps."""
    return in_child(expect(SetCredentials(user, frozenset(capabilities)), 0), *steps)


def by_user(*steps: Operation | Step) -> tuple[Operation | Step, ...]:
    """Lets a child without any privilege do these steps."""
    return by(USER, frozenset(), *steps)


def clause(
    id: str,
    sentence: str,
    *steps: Operation | Step,
    since: str = "4.1",
    until: str | None = None,
    given: Given = MappingProxyType({}),
) -> Clause:
    """Makes a clause that needs no kprobes."""
    return Clause(id, sentence, steps, NOTHING, since, until, given=given)


def probe() -> CreateKprobe:
    return CreateKprobe("probe", PRCTL)
