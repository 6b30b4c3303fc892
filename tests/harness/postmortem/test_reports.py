# SPDX-License-Identifier: MIT
"""What is left of a guest, in every report."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.compare import Verdict
from harness.report import junit, markdown, page
from harness.report.terminal import print_findings
from harness.run.document import parse
from harness.run.results import MachineReport, RunReport, ScriptResult
from hil.machine.postmortem import CpuState, Death, PostMortem

LANE = "debian-12/x86_64/interp"
FRAMES = tuple(f"{0xFFFFFFFF81000000 + number:#x} function_{number}+0x1" for number in range(20))
LEFT = PostMortem(
    Death.CRASH,
    "Kernel panic; CPU 0 panics in helper; CPU 1 idle",
    (
        CpuState(0, "panics in helper", {"rax": "0xabc", "rip": "0xdef"}, FRAMES, "BPF program 'p' at instruction 2"),
        CpuState(1, "idle", {"rax": "0x123"}, FRAMES[:1]),
    ),
    tuple(f"line {number}" for number in range(30)),
    ("a note",),
)


def report() -> RunReport:
    result = ScriptResult(LANE, "it", Verdict.LOST, "the guest's kernel panicked", again="hil run", postmortem=LEFT)
    machine = MachineReport("debian-12", "x86_64", postmortem=LEFT)
    return RunReport("2026", 1.0, ("hil", "run"), {}, (LANE,), (machine,), (result,))


def test_it_is_data_in_the_record_and_read_again() -> None:
    read = parse(json.dumps(report().record(), default=str), "results.json")
    assert read.results[0].postmortem == LEFT and read.machines[0].postmortem == LEFT


@pytest.mark.parametrize("render", [lambda made: page.render(made, None), junit.text, markdown.render])
def test_reports_have_all_of_it(render: Any) -> None:
    text = render(report()).replace("&#39;", "'")
    for part in ("crash: Kernel panic; CPU 0", "rax 0xabc", "rip 0xdef", "function_19+0x1", "CPU 1: idle", "a note"):
        assert part in text, part
    assert "BPF program 'p' at instruction 2" in text and "line 0" in text and "line 29" in text


def test_the_terminal_has_it_in_short_with_the_file_that_has_the_rest(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    print_findings(console, report(), tmp_path)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "crash: Kernel panic; CPU 0 panics in helper; CPU 1 idle" in text and "line 29" in text
    assert "function_11+0x1" in text and "function_12+0x1" not in text and "8 more" in text
    assert "rax" not in text and "postmortem.txt in the folder of the machine" in text


def test_a_guest_that_lived_has_none_of_it() -> None:
    lived = report()
    lived = replace(
        lived, results=(replace(lived.results[0], postmortem=None),), machines=(MachineReport("debian-12", "x86_64"),)
    )
    assert "post-mortem" not in page.render(lived, None) and "crash" not in junit.text(lived)
