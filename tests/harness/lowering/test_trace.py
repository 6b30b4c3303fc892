# SPDX-License-Identifier: MIT
"""Lines of tracefs' `trace` as kernels of each generation write them."""

from harness.lowering.trace import parsed
from harness.script.outcome import Line, Outcome

COMMENTS = "# tracer: nop\n#\n# entries-in-buffer/entries-written: 2/2   #P:1\n#\n#       TASK-PID     CPU#  |||||\n"
FIRST = "       hil-agent-71    [000] d..1     2.345678: : "
LATER = "           <...>-71      [001] d.Z1.     2.345678: bpf_trace_printk: "


def test_texts_are_cut_out_of_their_lines() -> None:
    assert parsed(f"{COMMENTS}{LATER}one\n\n{LATER}two\n") == Outcome(
        value=2, records=(Line(tid=71, cpu=1), Line(tid=71, cpu=1)), log="one\n\ntwo\n"
    )


def test_texts_of_4_1_need_not_end_their_line() -> None:
    assert parsed(f"{COMMENTS}{FIRST}one{FIRST}: [000] two\n") == Outcome(
        value=2, records=(Line(tid=71, cpu=0), Line(tid=71, cpu=0)), log="one: [000] two\n"
    )


def test_nothing_but_comments_is_nothing() -> None:
    assert parsed(COMMENTS) == Outcome(value=0, records=(), log="")
