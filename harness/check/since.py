# SPDX-License-Identifier: MIT
"""Which release brought something, by the records of changes in `harness.model.upstream`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from harness.isa.opcodes import Helper
from harness.model.rules import Upstream
from harness.model.upstream import CHANGES
from harness.model.upstream.change import Change
from harness.model.upstream.linux_4_1 import LINUX_4_1
from harness.release import dotted


@cache
def brought(has: Callable[[Upstream], bool]) -> Change | None:
    """Returns the change after which `has` is true of the rules; None when it is true of 4.1, or of no release. The
    function is kept, so pass one that lasts."""
    rules = LINUX_4_1
    if has(rules):
        return None
    for change in CHANGES:
        rules = change.apply(rules)
        if has(rules):
            return change
    return None


def says(change: Change) -> str:
    """Returns `since 5.8 (457f44363a88)`; where the commit was not looked up, between which releases it came."""
    commit = f" ({change.commit.partition(',')[0]})" if change.commit else ""
    if change.after < change.since:
        return f"since {dotted(change.since)} or some release after {dotted(change.after)}{commit}"
    return f"since {dotted(change.since)}{commit}"


def needs(change: Change) -> str:
    """Returns `needs Linux 5.8`; where the commit was not looked up, no more than what is known: a release that has it,
    and one that does not."""
    if change.after < change.since:
        return f"needs a release after {dotted(change.after)}; {dotted(change.since)} is known to have it"
    return f"needs Linux {dotted(change.since)}"


@cache
def map_type(number: int) -> Change | None:
    """Returns the change that brought a type of map."""
    return brought(lambda rules: number in rules.maps.types)


@cache
def program_type(number: int) -> Change | None:
    """Returns the change that brought a type of program."""
    return brought(lambda rules: number in rules.program_types)


@cache
def helper(number: int) -> Change | None:
    """Returns the change since which programs on kprobes may call a helper: the one that brought it, where that was
    looked up, else the one since which a kernel was seen to have it."""
    known = brought(lambda rules: number in rules.verifier.prototypes)
    return known if known is not None and known.commit else brought(lambda rules: number in rules.helpers)


def helper_name(number: int) -> str:
    """Returns `bpf_probe_read_kernel (helper 113)`, or `helper 999` where it has no name here."""
    named = number in Helper._value2member_map_
    return f"bpf_{Helper(number).name.lower()} (helper {number})" if named else f"helper {number}"
