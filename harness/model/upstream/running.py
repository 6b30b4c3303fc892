# SPDX-License-Identifier: MIT
"""What changed while programs run: kernel/bpf/core.c, kernel/bpf/helpers.c, kernel/trace/bpf_trace.c."""

from __future__ import annotations

from dataclasses import replace

from harness.isa.opcodes import Helper
from harness.model.rules import NEVER, Backport, DivisionByZero, LongShift, PrintkRules, Upstream, version
from harness.model.upstream.change import Change, change
from harness.release import Release


def _helpers(since: Release, *numbers: int, after: Release | None = None) -> Change:
    def more(rules: Upstream) -> Upstream:
        return replace(rules, helpers=rules.helpers | set(numbers))

    more.__doc__ = f"Programs on kprobes may call helper {', '.join(map(str, numbers))} (include/uapi/linux/bpf.h)."
    return change(since, after=after)(more)


def _limit(since: Release, after: Release, limit: int) -> Change:
    def higher(rules: Upstream) -> Upstream:
        return replace(rules, helper_limit=limit)

    higher.__doc__ = f"Helper {limit} is the first there is not for any program."
    return change(since, after=after)(higher)


@change((5, 10), after=(4, 1))
def division_by_zero(rules: Upstream) -> Upstream:
    """Dividing by a register that holds 0 gives 0, and the remainder is the dividend; the program goes on."""
    return replace(rules, division_by_zero=DivisionByZero.HAS_RESULT)


@change((5, 10), after=(4, 1))
def long_shifts(rules: Upstream) -> Upstream:
    """Shifting by a register takes its value modulo the operand's width."""
    return replace(rules, long_shift=LongShift.MODULO)


@change((5, 10), after=(4, 1))
def map_calls(rules: Upstream) -> Upstream:
    """Compiled programs call a map's own functions, which return an int: do_misc_fixups(), which was
    fixup_bpf_calls(), replaces the helper when a JIT was asked for."""
    return replace(rules, int_map_calls=frozenset({"jit"}))


@change((6, 4), "d7ba4cc900bf, bpf: return long from bpf_map_ops funcs")
def long_map_calls(rules: Upstream) -> Upstream:
    """A map's own functions return a long."""
    return replace(rules, int_map_calls=frozenset())


@change((5, 10), after=(4, 1))
def empty_slots_count(rules: Upstream) -> Upstream:
    """Tail calls into empty slots count against the limit of tail calls."""
    return replace(rules, counts_empty_slots=frozenset({"interp", "jit"}))


@change((6, 12), after=(6, 6))
def empty_slots_count_interpreted(rules: Upstream) -> Upstream:
    """JITs look into the slot before they count a tail call; the interpreter does not."""
    return replace(rules, counts_empty_slots=frozenset({"interp"}))


@change((7, 2), after=(6, 12))
def empty_slots_do_not_count(rules: Upstream) -> Upstream:
    """The interpreter, too, looks into the slot before it counts a tail call."""
    return replace(rules, counts_empty_slots=frozenset())


@change((5, 10), after=(4, 1))
def failed_reads_clear(rules: Upstream) -> Upstream:
    """bpf_probe_read fills its destination with zeros when it fails."""
    return replace(rules, probe_read_clears=True)


@change((5, 5), "6ae08ae3dea2, bpf: Add probe_read_{user, kernel} and probe_read_{user, kernel}_str helpers")
def reads_by_space(rules: Upstream) -> Upstream:
    """User and kernel memory have helpers of their own; bpf_probe_read tells them apart by the address."""
    return replace(rules, reads_by_space=True)


@change((5, 10), after=(4, 1))
def printk_of_5_10(rules: Upstream) -> Upstream:
    """bpf_trace_printk takes %i, hides the addresses of %p, leaves other conversions to the kernel, and writes a line
    of its own."""
    return replace(
        rules,
        printk=replace(rules.printk, conversions="duxpi", others_refused=False, hides_addresses=True, own_line=True),
    )


@change((6, 1), after=(5, 10))
def printk_of_6_1(rules: Upstream) -> Upstream:
    """bpf_trace_printk takes %X and %%, and ends its format at any NUL."""
    return replace(
        rules,
        printk=PrintkRules(
            "duxpiX",
            others_refused=False,
            percent=True,
            eight_bit=NEVER,
            inner_nul=True,
            hides_addresses=True,
            own_line=True,
        ),
    )


@change(
    (7, 2),
    after=(5, 10),
    stable={
        (6, 1): Backport(version(6, 1, 174), version(6, 1, 176)),
        (6, 12): Backport(version(6, 12, 90), version(6, 12, 94)),
    },
)
def printk_of_eight_bits(rules: Upstream) -> Upstream:
    """bpf_trace_printk takes bytes from 0x80 on."""
    window = printk_of_eight_bits.window(rules.release)
    return replace(rules, printk=replace(rules.printk, eight_bit=window))


@change((6, 1), after=(5, 10))
def leaves_what_is_behind_the_name(rules: Upstream) -> Upstream:
    """bpf_get_current_comm leaves what is behind the name as it was: strscpy()."""
    return replace(rules, clears_behind_name=False)


@change((6, 4), "f3f213497797, bpf: ensure all memory is initialized in bpf_get_current_comm")
def clears_what_is_behind_the_name(rules: Upstream) -> Upstream:
    """bpf_get_current_comm fills the rest of the buffer with zeros."""
    return replace(rules, clears_behind_name=True)


CHANGES: tuple[Change, ...] = (
    _helpers((4, 2), Helper.TAIL_CALL, 14, 15, 16),
    _helpers((4, 3), 22),
    _helpers((4, 4), 25),
    _helpers((4, 6), 27),
    _helpers((4, 8), 35, 36),
    _helpers((4, 9), 37),
    _helpers((4, 11), 45),
    reads_by_space,
    division_by_zero,
    long_shifts,
    map_calls,
    empty_slots_count,
    failed_reads_clear,
    printk_of_5_10,
    _helpers((5, 10), 7, 8, 42, 55, 67, 80, 87, 88, 89, 109, *range(112, 116), after=(4, 1)),
    _helpers((5, 10), 117, 118, 120, 125, *range(130, 135), 141, 149, 153, 154, after=(4, 1)),
    _limit((5, 10), (4, 1), 156),
    leaves_what_is_behind_the_name,
    printk_of_6_1,
    printk_of_eight_bits,
    _helpers((6, 1), 93, 94, 105, 106, 123, 148, 156, 157, 158, 164, 165, *range(169, 178), after=(5, 10)),
    _helpers((6, 1), 180, 181, 182, 191, 194, 195, *range(197, 204), 208, 209, after=(5, 10)),
    _limit((6, 1), (5, 10), 210),
    long_map_calls,
    clears_what_is_behind_the_name,
    empty_slots_count_interpreted,
    _helpers((6, 2), 210, 211),
    _limit((6, 2), (6, 1), 212),
    empty_slots_do_not_count,
    _helpers((7, 2), 17, after=(6, 12)),
)
