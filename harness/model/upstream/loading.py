# SPDX-License-Identifier: MIT
"""What changed in BPF_PROG_LOAD: kernel/bpf/syscall.c, kernel/bpf/verifier.c, kernel/bpf/log.c."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.model.rules import NEVER, Backport, LoadCheck, LogRule, Upstream, version
from harness.model.upstream.change import Change, change
from harness.release import Release


def _types(since: Release, named: Mapping[int, str]) -> Change:
    def more(rules: Upstream) -> Upstream:
        return replace(rules, program_types=rules.program_types | set(named))

    more.__doc__ = f"Programs may be of type {', '.join(named.values())} (enum bpf_prog_type)."
    return change(since)(more)


@change((5, 0), "6c4fc209fcf9, bpf: remove useless version check for prog load")
def any_version(rules: Upstream) -> Upstream:
    """kern_version is not looked at."""
    checks = tuple(check for check in rules.load_checks if check is not LoadCheck.KERNEL_VERSION)
    return replace(rules, load_checks=checks)


@change((5, 2), "c04c0d2b968a, bpf: increase complexity limit and maximum program size")
def a_million_instructions(rules: Upstream) -> Upstream:
    """A program may have a million instructions."""
    return replace(rules, instruction_limit=1_000_000)


@change((5, 10), after=(4, 1))
def sizes_first(rules: Upstream) -> Upstream:
    """No instructions are refused together with too many of them, with E2BIG, before anybody is asked who calls."""
    rest = tuple(one for one in rules.load_checks if one not in (LoadCheck.LENGTH, LoadCheck.EMPTY))
    return replace(
        rules, too_many_instructions="E2BIG", empty_first=True, load_checks=(LoadCheck.LENGTH, LoadCheck.EMPTY, *rest)
    )


@change((5, 10), after=(4, 1))
def known_log_levels(rules: Upstream) -> Upstream:
    """log_level has three bits, and a log may be as large as a quarter of what 32 bits count."""
    return replace(rules, log=LogRule(least_size=128, most_size=(1 << 30) - 1, levels=7))


@change((6, 4), "fac08d45e253, bpf: Relax log_buf NULL conditions when log_level>0 is requested")
def log_without_buffer(rules: Upstream) -> Upstream:
    """A log level needs no buffer; a fourth level bit keeps the beginning of a log instead of its end."""
    return replace(rules, log=LogRule(least_size=1, most_size=(1 << 30) - 1, levels=15, level_alone=True))


@change(
    (6, 12),
    after=(5, 10),
    stable={(6, 1): Backport(0, version(6, 1, 192)), (6, 6): Backport(0, version(6, 6, 17))},
)
def jumps_read_first(rules: Upstream) -> Upstream:
    """The verifier looks at the destination of a conditional jump before all other fields: check_cond_jmp_op()."""
    return replace(rules, jumps_read_first=jumps_read_first.window(rules.release))


@change((7, 2), after=(6, 12))
def fields_first(rules: Upstream) -> Upstream:
    """The verifier looks at the fields of all instructions before it simulates any."""
    return replace(rules, jumps_read_first=NEVER)


def _header(since: Release, after: Release, size: int) -> Change:
    def longer(rules: Upstream) -> Upstream:
        return replace(rules, program_header=size)

    longer.__doc__ = f"A program has {size} bytes in front of its instructions."
    return change(since, after=after)(longer)


@change((6, 8), "4944566706b2, net: increase optmem_max default value")
def more_option_memory(rules: Upstream) -> Upstream:
    """net.core.optmem_max is 128 KiB."""
    return replace(rules, option_memory=128 << 10)


CHANGES: tuple[Change, ...] = (
    _types((4, 7), {5: "TRACEPOINT"}),
    _types((4, 8), {6: "XDP"}),
    _types((4, 9), {7: "PERF_EVENT"}),
    _types((4, 10), {8: "CGROUP_SKB", 9: "CGROUP_SOCK", 10: "LWT_IN", 11: "LWT_OUT", 12: "LWT_XMIT"}),
    _types((4, 13), {13: "SOCK_OPS"}),
    _types((4, 14), {14: "SK_SKB"}),
    _types((4, 15), {15: "CGROUP_DEVICE"}),
    _types((4, 17), {16: "SK_MSG", 17: "RAW_TRACEPOINT", 18: "CGROUP_SOCK_ADDR"}),
    _types((4, 18), {19: "LWT_SEG6LOCAL", 20: "LIRC_MODE2"}),
    _types((4, 19), {21: "SK_REUSEPORT"}),
    _types((4, 20), {22: "FLOW_DISSECTOR"}),
    any_version,
    a_million_instructions,
    _types((5, 2), {23: "CGROUP_SYSCTL", 24: "RAW_TRACEPOINT_WRITABLE"}),
    _types((5, 3), {25: "CGROUP_SOCKOPT"}),
    _types((5, 5), {26: "TRACING"}),
    _types((5, 6), {27: "STRUCT_OPS", 28: "EXT"}),
    _types((5, 7), {29: "LSM"}),
    _types((5, 9), {30: "SK_LOOKUP"}),
    sizes_first,
    known_log_levels,
    _types((5, 14), {31: "SYSCALL"}),
    _types((6, 4), {32: "NETFILTER"}),
    log_without_buffer,
    jumps_read_first,
    fields_first,
    _header((5, 10), (4, 1), 56),
    _header((6, 1), (5, 10), 72),
    _header((7, 2), (6, 12), 96),
    more_option_memory,
)
