# SPDX-License-Identifier: MIT
"""The clock, and the trace buffer as text: Documentation/trace/ftrace.rst."""

from __future__ import annotations

import re

from harness.abi.numbers import CLOCK_MONOTONIC, O_TRUNC, O_WRONLY
from harness.lowering.context import Lowering, Reader, first_failure, returned
from harness.lowering.text_files import read_text
from harness.script.outcome import Line, Outcome
from harness.script.surroundings import ClearTrace, ReadClock, ReadTrace
from hil.agent.results import BatchResult

BILLION = 10**9
LINE = re.compile(r".{16}-(?P<tid>\d+) +\[(?P<cpu>\d+)\] \S+ +[\d.]+: (?:bpf_trace_printk|0)?: ")
"""An example is `            echo-70      [000] d..1     2.345678: : text`; 4.1 prints as name of the caller what is at
address 0."""


def read_clock(lowering: Lowering, operation: ReadClock) -> Reader:
    time = lowering.builder.alloc(16)
    call = lowering.call("clock_gettime", CLOCK_MONOTONIC, time)
    seconds, nanoseconds = lowering.builder.load(time, 8), lowering.builder.load(time + 8, 8)

    def read(results: BatchResult) -> Outcome:
        outcome = returned(call)(results)
        told = results.done(seconds).value * BILLION + results.done(nanoseconds).value
        return outcome if outcome.errno else Outcome(value=told)

    return read


def clear(lowering: Lowering, _: ClearTrace) -> Reader:
    opened = lowering.open(f"{lowering.guest.tracing}/trace", O_WRONLY | O_TRUNC)
    with lowering.builder.unless_failed(opened):
        lowering.call("close", opened)
    return first_failure([opened], value=0)


def read(lowering: Lowering, operation: ReadTrace) -> Reader:
    opened, text = read_text(lowering, f"{lowering.guest.tracing}/trace")

    def look(results: BatchResult) -> Outcome:
        if results.done(opened).errno:
            return returned(opened)(results)
        return parsed(text(results))

    return look


def parsed(content: str) -> Outcome:
    """Returns the file's lines, without the comments they begin with."""
    lines = list(LINE.finditer(content))
    ends = [*(line.start() for line in lines[1:]), len(content)]
    texts = (content[line.end() : end] for line, end in zip(lines, ends, strict=False))
    records = tuple(Line(tid=int(line["tid"]), cpu=int(line["cpu"])) for line in lines)
    return Outcome(value=len(lines), records=records, log="".join(texts))
