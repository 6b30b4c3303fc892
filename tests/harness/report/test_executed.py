# SPDX-License-Identifier: MIT
"""How a user's command fared, in every report."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness.report import markdown, page
from harness.report.executed import SHOWN, lines, print_executed
from harness.run.executed import Executed, KernelObject
from tests.harness.reports import report

HELD = KernelObject("perf event", "20/5", "perf event on kprobe f, program 7: descriptor 5 of process 20 (/hil/<b>)")
LEFT = KernelObject("process", "20", "process 20: /bin/busybox")
RAN = Executed(
    "debian-12/arm64/jit", ("./loader",), 0, seconds=1.5, stdout="\x1b[2Jgone\nmore", seen=(HELD,), left=(LEFT,)
)
ALL = replace(report(), executed=(RAN,))


def test_the_page_and_the_summary_have_what_it_attached_and_left() -> None:
    for shown in (page.render(ALL, None), markdown.render(ALL)):
        assert "debian-12/arm64/jit: status 0, 1.5 s" in shown
        assert "held: perf event on kprobe f, program 7" in shown
        assert "left behind: process 20: /bin/busybox" in shown
    assert "/hil/&lt;b&gt;" in page.render(ALL, None)


def test_a_terminal_is_not_controlled_by_what_a_guest_prints() -> None:
    console = Console(file=io.StringIO(), width=200, markup=False)
    print_executed(console, [RAN])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "  stdout: \\x1b[2Jgone\n  stdout: more\n" in text


def test_a_crowd_of_objects_is_counted() -> None:
    crowd = tuple(replace(HELD, identity=str(number)) for number in range(SHOWN + 3))
    assert "held: 3 more of the kind perf event" in list(lines(replace(RAN, seen=crowd)))


def test_the_page_of_a_name_that_is_no_text_can_be_written(tmp_path: Path) -> None:
    strange = replace(ALL, command=("hil", "exec", "./\udcff"))
    page.write(strange, None, tmp_path / "report.html")
    assert "\\udcff" in (tmp_path / "report.html").read_text()
