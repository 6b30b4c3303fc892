# SPDX-License-Identifier: MIT
"""How a stop is printed where nobody has a terminal."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from harness.debug.looking import Context, Place, Snapshot
from harness.debug.showing import show
from hil.gdb.frame import Frame
from hil.gdb.session import Stop

SNAPSHOT = Snapshot(
    stop=Stop("breakpoint-hit", 0xFFFF_FFFF_8100_0000, "trace_call_bpf", "1"),
    registers={"rax": 1, "rip": 0xFFFF_FFFF_8100_0000},
    arguments={"call": 0x10, "ctx": 0x20},
    context=Context(0x20, Frame(0xFFFF_FFFF_8200_0000, "cap_task_prctl", 0), (0x7FFF0001, 2)),
    backtrace=(Frame(0xFFFF_FFFF_8100_0000, "trace_call_bpf"), Frame(0xFFFF_FFFF_C000_0000)),
)


def test_everything_is_there_and_nothing_is_escaped() -> None:
    stream = StringIO()
    show(Console(file=stream, width=200), SNAPSHOT)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines[:3] == [
        "stopped: trace_call_bpf(call=0x10, ctx=0x20) at 0xffffffff81000000",
        "ctx: struct pt_regs at 0x20: cap_task_prctl+0x0(0x7fff0001, 0x2)",
        "rax    0x0000000000000001  rip    0xffffffff81000000",
    ]
    assert lines[-2:] == ["0  0xffffffff81000000  trace_call_bpf+0x0", "1  0xffffffffc0000000  ??"]


def test_debug_information_adds_lines_and_variables() -> None:
    stream = StringIO()
    places = (Place("kernel/trace/bpf_trace.c:103", {"call": "0x10", "ret": "0"}), Place("", {}))
    show(Console(file=stream, width=200), replace(SNAPSHOT, places=places))
    assert [line.rstrip() for line in stream.getvalue().splitlines()][-3:] == [
        "0  0xffffffff81000000  trace_call_bpf+0x0  kernel/trace/bpf_trace.c:103",
        "1  0xffffffffc0000000  ??",
        "variables of #0: call=0x10, ret=0",
    ]
