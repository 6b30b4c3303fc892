# SPDX-License-Identifier: MIT
"""How programs of a user's objects fared, in every report."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from harness.compare import Verdict
from harness.report import junit, markdown, page
from harness.report.programs import print_checked, tables
from harness.run.again import again
from harness.run.checked import Answer, Checked, Element, MapContent, Why, Word
from harness.run.document import document, parse
from harness.run.results import RunReport
from tests.harness.reports import LANES, report, result

WHY = Why(
    "load",
    "count is refused with EACCES",
    kind="verifier",
    errno="EACCES",
    rule="a number is used as an address",
    remedy="read it with a helper",
    instruction=1,
    line="probe.c:7",
    source="return *p;",
    messages=("R1 invalid mem access '<scalar>'",),
)
FIRES = Checked(
    LANES[0], "probe.o", "count", "kprobe/f", "probe.o:count", Answer.YES, Answer.YES, Answer.YES, hits=3, missed=1
)
REFUSED = replace(FIRES, lane=LANES[1], loads=Answer.NO, hits=None, missed=None, whys=(WHY,))
NEVER = replace(REFUSED, script="probe.o:other", program="other", lane=LANES[1])


def checked(*of: Checked) -> RunReport:
    results = [result(one.lane, one.script) for one in of if one is not NEVER]
    return replace(report(*results), checked=of, command=("hil", "check", "probe.o", "--portable"))


BOTH = checked(FIRES, REFUSED, NEVER)


def test_programs_are_a_part_of_the_record() -> None:
    written = json.dumps(document(BOTH))
    assert parse(written, "it").checked == BOTH.checked


def test_a_page_has_the_table_and_the_reasons() -> None:
    shown = page.render(BOTH, None)
    for said in ("fires 3 (missed 1)", "refused", "probe.c:7", "a number is used as an address"):
        assert said in shown
    assert "&lt;scalar&gt;" in shown and "<scalar>" not in shown


def test_a_summary_has_the_table_and_the_reasons() -> None:
    shown = markdown.render(BOTH)
    assert "| `count` | `kprobe/f` | `fires 3 (missed 1)` | `refused` |" in shown
    assert "kernel: R1 invalid mem access" in shown
    assert len(markdown.render(BOTH, limit=900).encode()) < len(shown.encode())


def test_junit_has_a_failure_for_each_program_that_is_not_fine() -> None:
    document = ElementTree.fromstring(junit.text(BOTH))
    failures = {
        case.get("name"): case.findtext("failure")
        for case in document.iter("testcase")
        if case.find("failure") is not None
    }
    assert set(failures) == {"probe.o:count", "probe.o:other"}
    assert "rule: a number is used as an address" in str(failures["probe.o:other"])


def test_a_terminal_has_them_too() -> None:
    console = Console(file=io.StringIO(), width=200, markup=False)
    print_checked(console, BOTH.checked)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "fires 3 (missed 1)" in text
    assert "at instruction 1, probe.c:7: return *p;" in text


def test_reasons_that_programs_have_in_common_are_told_once() -> None:
    (table,) = tables((REFUSED, NEVER))
    (reason,) = table.reasons
    assert reason.programs == ("count", "other")


@pytest.mark.parametrize(
    ("of", "status"),
    [
        ((FIRES,), 0),
        ((FIRES, REFUSED), 1),
        ((FIRES, replace(REFUSED, expected="refused")), 0),
        ((replace(FIRES, expected="refused"),), 1),
        ((replace(FIRES, expected_load=Answer.NO),), 1),
    ],
)
def test_the_exit_status_says_whether_all_are_fine(of: tuple[Checked, ...], status: int) -> None:
    assert checked(*of).exit_status == status
    unpredicted = [result(one.lane, one.script, Verdict.UNSUPPORTED) for one in of]
    assert replace(report(*unpredicted), checked=of).exit_status == status


def test_words_rise() -> None:
    assert (FIRES.word, replace(FIRES, fires=Answer.NO).word) == (Word.FIRES, Word.ATTACHES)
    assert replace(FIRES, attaches=Answer.UNTRIED).word is Word.LOADS
    assert replace(FIRES, loads=Answer.UNKNOWN).word is Word.OPEN


def test_the_command_that_repeats_a_program_has_the_files_and_options() -> None:
    command = ("hil", "check", "a/probe.o", "--lanes", "debian-*", "--portable", "--output=x", "--expect", "t.toml")
    assert again(command, [LANES[0]], "probe.o:count-2") == (
        f"hil check a/probe.o --portable --lanes {LANES[0]} --programs count"
    )


def test_a_page_of_another_command_has_no_table(tmp_path: Path) -> None:
    page.write(report(result(LANES[0], "s")), None, tmp_path / "page.html")
    assert '<th class="name">program</th>' not in (tmp_path / "page.html").read_text()


def test_the_filters_of_a_page_leave_the_table_of_programs_alone() -> None:
    """Its rows are no scripts, and have no detail that could be searched."""
    shown = page.render(BOTH, None)
    assert 'querySelectorAll(".matrix tbody tr[data-detail]")' in shown
    assert shown.count("<tr data-detail=") == len({one.script for one in BOTH.results})


HITS = MapContent("hits", (Element("0", "3"), Element("7", "291 (0x123)")), 62)


def test_what_a_program_left_in_its_maps_is_told_by_lanes() -> None:
    same = [replace(FIRES, lane=lane, maps=(HITS, MapContent("empty", ()))) for lane in LANES]
    (table,) = tables(same)
    (note,) = table.notes
    assert note.startswith("count: left in hits: [0] = 3, [7] = 291 (0x123); 62 more are 0, on ")
    various = [
        replace(FIRES, lane=f"debian-1{at}/x86_64/jit", maps=(MapContent("hits", (Element("0", str(at)),)),))
        for at in range(5)
    ]
    (table,) = tables(various)
    assert len(table.notes) == 4
    assert table.notes[-1] == "count: something else in hits on other lanes: hil show RUN:probe.o:count"
    zero = replace(FIRES, maps=(MapContent("hits", (), 2),))
    assert tables([zero])[0].notes == (f"count: left in hits: 2 are 0, on {LANES[0]}",)
    assert tables([replace(zero, fires=Answer.NO)])[0].notes == ()
    made = replace(report(*(result(one.lane, one.script) for one in same)), checked=tuple(same))
    assert "left in hits: [0] = 3" in markdown.render(made)
    assert parse(json.dumps(made.record()), "run").checked[0].maps == same[0].maps
