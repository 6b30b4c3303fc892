# SPDX-License-Identifier: MIT
"""The clock, and the trace buffer into which programs print: kernel/trace/trace.c."""

from __future__ import annotations

from harness.model.interface import permissions
from harness.model.interface.kernel import Kernel
from harness.model.printk import Printed
from harness.model.unpredictable import Unpredictable
from harness.script.outcome import Outcome, Unknown
from harness.script.surroundings import ClearTrace, ReadClock, ReadTrace


def read_clock(kernel: Kernel, operation: ReadClock) -> Outcome:
    now = kernel.surroundings.now()
    kernel.surroundings.read_clock(operation.name)
    return Outcome(value=Unknown(now.why, now.least, not_before=now.not_before))


def clear(kernel: Kernel, _: ClearTrace) -> Outcome:
    permissions.tracing_files(kernel)
    kernel.surroundings.clear_trace()
    return Outcome(value=0)


def read(kernel: Kernel, operation: ReadTrace) -> Outcome:
    permissions.tracing_files(kernel)
    around, rules = kernel.surroundings, kernel.rules.printk
    if around.trace is None or around.trace_doubt:
        raise Unpredictable(around.trace_doubt or "what is in the trace buffer from before")
    pieces: list[str | None] = []
    for _, printed in around.trace:
        pieces += (*printed.pieces, "\n" * rules.own_line)
    text = Printed(tuple(pieces))
    return Outcome(
        value=len(around.trace),
        records=tuple(line for line, _ in around.trace),
        log=text if None in pieces else str(text),
    )
