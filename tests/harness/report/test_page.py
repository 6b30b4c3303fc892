# SPDX-License-Identifier: MIT
"""The page: what it tells, that it needs nothing, and that nothing in it comes alive."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from hypothesis import given, settings

from harness.compare import Verdict
from harness.report import page
from harness.report.commands import report as command
from harness.run.results import OperationReport, RunReport, ScriptResult
from hil.errors import UserError
from tests.harness.reports import LANES, OPERATIONS, PROGRAM, agreeing, everything, report, reports, result

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Outline(HTMLParser):
    """Tags with their attributes, ids, the text; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self._open):
            self.words += data

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def outline(made: RunReport, folder: Path | None = None) -> Outline:
    return Outline(page.render(made, folder))


def test_the_matrix_has_a_cell_for_every_script_and_lane() -> None:
    cells = [cell for cell in outline(everything()).every("td") if "data-lane" in cell]
    assert [cell["class"] for cell in cells] == [
        str(next(one.verdict for one in everything().results if (one.lane, one.script) == (lane, script)))
        for script in ("counting", "lookup", "attach-twice")
        for lane in LANES
    ]


@settings(max_examples=30, deadline=None)
@given(reports())
def test_every_link_leads_somewhere_on_the_page_and_nothing_is_loaded(made: RunReport) -> None:
    seen = outline(made)
    ids = [attributes["id"] for _, attributes in seen.tags if attributes.get("id")]
    assert len([one for one in ids if one]) >= len(ids)
    for tag, attributes in seen.tags:
        assert not {"src", "srcset", "data", "action", "background"} & attributes.keys(), tag
        if link := attributes.get("href"):
            assert link.startswith("#") and unquote(link[1:]) in ids
    assert seen.every("link") == []
    assert "url(" not in page.render(made, None) and "@import" not in page.render(made, None)


def test_a_link_to_a_result_is_right_in_every_report_of_it() -> None:
    """It depends on the script and the lane alone, not on what else ran."""
    whole, alone = (
        {str(attributes["id"]) for _, attributes in outline(made).tags if "id" in attributes}
        for made in (everything(), report(result(LANES[1], "lookup", Verdict.DIVERGE)))
    )
    assert f"script-lookup@{LANES[1]}" in whole & alone


def test_each_script_and_each_result_shows_its_own_link() -> None:
    seen = outline(everything())
    shown = {unquote(str(one["href"])) for one in seen.every("a") if one.get("class") == "permalink"}
    places = {f"#{one['id']}" for _, one in seen.tags if str(one.get("id", "")).startswith("script-")}
    assert shown == places and any("@" in one for one in places)


def test_what_is_known_and_what_is_not_supported_is_listed_by_reason_before_the_matrix() -> None:
    known = [result(lane, "lookup", Verdict.KNOWN) for lane in LANES]
    words = outline(report(result(LANES[0], "counting", Verdict.UNSUPPORTED), *known)).words
    above, _, _ = words.partition("Scripts by lanes")
    assert "Known divergences: 3 results" in above and "why it is known-divergence" in above
    assert "Unsupported: 1 result" in above and "why it is unsupported" in above


def test_only_the_own_script_may_run() -> None:
    html = page.render(everything(), None)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [meta["content"] for meta in Outline(html).every("meta") if "http-equiv" in meta]
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_what_an_unpredicted_operation_was_held_against_is_told() -> None:
    step = OperationReport(1, "Close(event=e)", "unpredicted: no rule", "0")
    both = (step, replace(step, index=2, expectation="success"), replace(step, index=3, against=LANES[1:]))
    words = outline(report(replace(result(LANES[0], "counting"), unpredicted=both), lanes=LANES[:1])).words
    assert "3 operations the model has no rule for" in words
    assert "operation 1 Close(event=e): unpredicted: no rule; held against nothing; saw 0" in words
    assert (
        "Neither the model, a clause nor another lane says what 1 operations give: search for held against nothing."
        in words
    )
    assert "operation 2 Close(event=e): unpredicted: no rule; held against success alone; saw 0" in words
    assert (
        f"operation 3 Close(event=e): unpredicted: no rule; held against {LANES[1].rpartition('/')[0]} alone;" in words
    )


def test_what_a_guest_says_stays_text(tmp_path: Path) -> None:
    evil = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>"
    made = report(ScriptResult(LANES[0], evil, Verdict.LOST, evil), lanes=LANES[:1])
    (only,) = made.machines
    (tmp_path / only.console).parent.mkdir()
    (tmp_path / only.console).write_text(evil)
    made = replace(made, machines=(replace(only, uname=evil, trouble=evil),))
    seen = outline(made, tmp_path)
    assert len(seen.every("script")) == 1 and seen.every("img") == []
    assert seen.words.count(evil) >= 5


def test_a_divergence_is_told_with_both_words_and_the_command_that_repeats_it() -> None:
    words = outline(everything()).words
    for told in ("operation 4", "Attach(event=e, program=p)", "EEXIST", "what lookup shows", *OPERATIONS):
        assert told in words
    assert "hil run --lanes debian-12/x86_64/jit --scripts lookup" in words


def test_the_program_of_a_divergence_is_there_with_its_maps_and_its_code() -> None:
    words = outline(everything()).words
    for told in ("\n".join(PROGRAM.listing), PROGRAM.code, f"map {PROGRAM.maps[0]}"):
        assert told in words


def test_a_title_says_what_it_was_a_run_of() -> None:
    words = outline(replace(agreeing(), command=("hil", "conform"))).words
    assert "hil conform of 2026-01-02" in words and "hil conform: 2026-01-02" in words


def test_long_values_hide_neither_prediction_nor_observation() -> None:
    packet = "00" * 512
    asked, said = f"RunSocketFilter(program=p, packet={packet})", f"0, data {packet}"
    step = OperationReport(1, asked, said, said, "", ("at offset 9: ...",))
    reason = f"operation 1, {asked}: predicted 1; saw 2"
    made = ScriptResult(LANES[0], "packets", Verdict.DIVERGE, reason, step)
    news = outline(report(made, lanes=LANES[:1])).words.partition("Scripts by lanes")[0]
    for told in ("...512 bytes...", "predicted", "observed", "at offset 9: ...", "--scripts packets"):
        assert told in news
    lost = replace(made, verdict=Verdict.LOST, operation=None)
    news = outline(report(lost, lanes=LANES[:1])).words.partition("Scripts by lanes")[0]
    assert f"packet={'0' * 32}...512 bytes...{'0' * 16}): predicted 1; saw 2" in news


def test_clauses_are_repeated_with_their_own_command() -> None:
    made = replace(agreeing(), command=("hil", "conform", "--lanes", "debian-12"))
    assert "hil conform --lanes debian-12/x86_64/jit,debian-12/arm64 " in outline(made).words
    assert "--clauses counting" in outline(made).words


def test_the_console_of_a_machine_that_died_is_shown_where_it_is_missed(tmp_path: Path) -> None:
    made = report(result(LANES[0], "counting", Verdict.LOST), lanes=LANES[:1])
    (only,) = made.machines
    made = replace(made, machines=(replace(only, trouble="it panicked"),))
    (tmp_path / only.console).parent.mkdir()
    lines = [f"line {number}" for number in range(100)]
    (tmp_path / only.console).write_bytes("\r\n".join([*lines, "\x1b[31mKernel panic\x1b[0m\0"]).encode())
    words = outline(made, tmp_path).words
    assert words.count("line 99\nKernel panic") == 2  # beside the script, and beside the machine
    assert "line 61" in words and "line 60\n" not in words


def test_a_run_without_its_folder_is_shown_without_consoles() -> None:
    assert "end of the console" not in outline(everything()).words


def test_repeats_that_differ_are_told_round_by_round() -> None:
    seen = outline(report(result(LANES[0], "counting", Verdict.FLAKY), lanes=LANES[:1]))
    (cell,) = [link for link in seen.every("a") if link.get("title")]
    assert cell["title"] == f"{LANES[0]}: flaky in 3 rounds"
    words = " ".join(seen.words.split())
    assert "✓ agree in rounds 1, 3 ✗ diverge in round 2 operation 4, Attach: differs" in words
    assert "--scripts counting --repeat 3" in words


def test_a_run_of_nothing_is_a_page() -> None:
    assert "0 scripts on 3 lanes" in outline(report()).words


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    everything().write(tmp_path / "results.json")
    arguments = [str(tmp_path), "-o", str(tmp_path / "page.html")]
    CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    assert (tmp_path / "page.html").read_text() == page.render(everything(), tmp_path)
    with pytest.raises(UserError):
        CliRunner().invoke(command, [str(tmp_path / "no")], catch_exceptions=False, standalone_mode=False)
