"""What a script needs of the lane that is to run it."""

from __future__ import annotations

from enum import StrEnum

FIRST_CPU = 0
"""Where every script begins, so that what depends on the CPU can be predicted; `Pin` and `Concurrently` leave it."""
CPUS = 2
"""Of a machine that is booted for scripts. The second one costs a tenth of the time of a boot and of a conformance run
without KVM (about 1.05 of either, in four runs of two kernels), less than booting a machine of its own for the scripts
that need it."""


class Need(StrEnum):
    """The value says it in words."""

    KPROBES = "kprobes, which this kernel does not have on this architecture"
    JIT = "programs that the JIT translates"
    INTERPRETER = "programs that the interpreter runs"
    STACK = "a stack that helpers do not overwrite, which this JIT does not give to programs"
    DIVISOR = "a JIT that tells whether the low half of a divisor is 0"
    TWO_CPUS = "two CPUs"
