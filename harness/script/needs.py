# SPDX-License-Identifier: MIT
"""The needs of a script on the lane that is to run it."""

from __future__ import annotations

from enum import StrEnum

FIRST_CPU = 0
"""The CPU on which every script begins, so that what depends on the CPU can be predicted; `Pin` and `RunThreads` leave
it."""
CPUS = 2
"""The CPUs of a machine that is booted for scripts. Where scripts are many the second one comes up only for those that
need it: without KVM, each change to the kernel's text waits for all CPUs that run, and these for the host (on two busy
ones arming a probe and attaching a program cost two to three times as much).
"""


class Need(StrEnum):
    """A need; the value describes it."""

    KPROBES = "kprobes"
    ENTRY_PROBES = "probes on the first instruction of a function"
    JIT = "programs that the JIT translates"
    INTERPRETER = "programs that the interpreter runs"
    STACK = "a stack that helpers do not overwrite"
    DIVISOR = "a JIT that tells whether the low half of a divisor is 0"
    LOOKING_JIT = "a JIT that looks into a slot before it counts a tail call, where there are such"
    COUNTING_JIT = "a JIT that always counts a tail call before it looks into the slot"
    MIXING_JIT = "a JIT that takes tail calls in programs with functions"
    TWO_CPUS = "two CPUs"
