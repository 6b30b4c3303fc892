"""What a script needs of the lane that is to run it."""

from __future__ import annotations

from enum import StrEnum


class Need(StrEnum):
    """The value says it in words."""

    KPROBES = "kprobes, which this kernel does not have on this architecture"
    JIT = "programs that the JIT translates"
    INTERPRETER = "programs that the interpreter runs"
    STACK = "a stack that helpers do not overwrite, which this JIT does not give to programs"
    DIVISOR = "a JIT that tells whether the low half of a divisor is 0"
    TWO_CPUS = "two CPUs"
