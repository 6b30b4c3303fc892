# SPDX-License-Identifier: MIT
"""What changed in bpf(2) itself: kernel/bpf/syscall.c."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from harness.model.rules import LoadCheck, Upstream
from harness.model.upstream.change import Change, change


@change((4, 4), "1be7f75d1668, bpf: enable non-root eBPF programs")
def unprivileged_programs(rules: Upstream) -> Upstream:
    """Socket filters are for everybody, where kernel.unprivileged_bpf_disabled is 0."""
    defaults = {**rules.defaults, "kernel/unprivileged_bpf_disabled": 0}
    checks = (*rules.load_checks[:2], LoadCheck.CAPABILITY, *rules.load_checks[2:])
    return replace(rules, defaults=MappingProxyType(defaults), load_checks=checks)


@change((4, 4), "b2197755b263, bpf: add support for persistent maps/progs")
def more_commands(rules: Upstream) -> Upstream:
    """There are more commands; the enumeration grows with stable releases too, and none is near 1000."""
    return replace(rules, first_unknown_command=1000)


@change((5, 0), "838e96904ff3, bpf: Introduce bpf_func_info")
def types_of_functions(rules: Upstream) -> Upstream:
    """BPF_PROG_LOAD takes the types of a program's functions, of which BPF_BTF_LOAD knows since the same release."""
    return replace(rules, function_types=True)


@change((4, 6), "6c9059817432, bpf: pre-allocate hash map elements")
def larger_attribute(rules: Upstream) -> Upstream:
    """BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM and BPF_PROG_LOAD use more of union bpf_attr, release by release."""
    return replace(rules, grown_commands=frozenset({0, 1, 5}))


@change((4, 4), "aaac3ba95e4c, bpf: charge user for creation of BPF maps and programs")
def memory_is_charged(rules: Upstream) -> Upstream:
    """Maps and programs count against RLIMIT_MEMLOCK."""
    position = rules.load_checks.index(LoadCheck.CAPABILITY) + 1
    checks = (*rules.load_checks[:position], LoadCheck.LOCKED_MEMORY, *rules.load_checks[position:])
    return replace(rules, charges_locked_memory=True, load_checks=checks)


@change((5, 11), "755e5d55367a, bpf: Eliminate rlimit-based memory accounting for bpf progs")
def memory_is_not_charged(rules: Upstream) -> Upstream:
    """Memory cgroups count maps and programs, RLIMIT_MEMLOCK does not."""
    return replace(rules, charges_locked_memory=False)


@change((5, 8), "2c78ee898d8f, bpf: Implement CAP_BPF")
def capabilities_of_their_own(rules: Upstream) -> Upstream:
    """CAP_BPF and CAP_PERFMON stand for what CAP_SYS_ADMIN was needed for."""
    return replace(rules, splits_admin=True)


@change((5, 10), after=(4, 1))
def size_before_address(rules: Upstream) -> Upstream:
    """bpf(2) looks at the attribute's size before its address: bpf_check_uarg_tail_zero()."""
    return replace(rules, attr_address_first=False)


@change((5, 10), after=(4, 1))
def attribute_of_120_bytes(rules: Upstream) -> Upstream:
    """union bpf_attr has 120 bytes."""
    return replace(rules, attr_size=120)


@change((6, 1), after=(5, 10))
def attribute_of_144_bytes(rules: Upstream) -> Upstream:
    """union bpf_attr has 144 bytes."""
    return replace(rules, attr_size=144)


@change((6, 1), after=(5, 10))
def only_makers_are_privileged(rules: Upstream) -> Upstream:
    """kernel.unprivileged_bpf_disabled keeps the unprivileged from making maps and programs, and from nothing else."""
    return replace(rules, privileged_commands=frozenset({"CreateMap", "LoadProgram"}))


@change((6, 5), "1d28635abcf1, bpf: Move unprivileged checks into map_create() and bpf_prog_load()")
def commands_ask(rules: Upstream) -> Upstream:
    """Commands look at their attribute before they ask who calls: map_create(), bpf_prog_load()."""
    return replace(rules, commands_ask_who_calls=True)


@change((6, 5), "7f6719f7a866, bpf: Keep BPF_PROG_LOAD permission checks clear of validations")
def licence_later(rules: Upstream) -> Upstream:
    """BPF_PROG_LOAD reads the licence after the instructions."""
    return replace(rules, license_first=False)


@change((6, 9), "caf8f28e036c, bpf: Add BPF token support to BPF_PROG_LOAD command")
def attribute_of_152_bytes(rules: Upstream) -> Upstream:
    """union bpf_attr has 152 bytes."""
    return replace(rules, attr_size=152)


@change((7, 2), after=(6, 12))
def attribute_of_168_bytes(rules: Upstream) -> Upstream:
    """union bpf_attr has 168 bytes."""
    return replace(rules, attr_size=168)


CHANGES: tuple[Change, ...] = (
    unprivileged_programs,
    more_commands,
    types_of_functions,
    larger_attribute,
    memory_is_charged,
    memory_is_not_charged,
    capabilities_of_their_own,
    size_before_address,
    attribute_of_120_bytes,
    attribute_of_144_bytes,
    only_makers_are_privileged,
    commands_ask,
    licence_later,
    attribute_of_152_bytes,
    attribute_of_168_bytes,
)
