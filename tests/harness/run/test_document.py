# SPDX-License-Identifier: MIT
"""A run written and read again."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from harness.report import junit, markdown, page
from harness.run.document import document, parse, read
from harness.run.results import FORMAT, RunReport
from hil.errors import UserError
from tests.harness.reports import everything, reports


@settings(deadline=None)
@given(reports())
def test_what_is_read_is_what_was_written(report: RunReport) -> None:
    assert parse(json.dumps(document(report)), "a run") == report


def test_the_document_is_what_a_run_folder_holds(tmp_path: Path) -> None:
    everything().write(tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text()) == document(everything())
    assert read(tmp_path / "results.json") == everything()


def test_a_file_of_another_release_is_read() -> None:
    written = document(everything())
    written["weather"] = "fine"
    written["results"][0]["mood"] = {"good": 1}
    del written["scripts"], written["results"][0]["seconds"]
    read_again = parse(json.dumps(written), "a run")
    assert read_again.scripts == ()
    assert read_again.results[0].seconds == 0.0
    assert read_again.results[1:] == everything().results[1:]


def test_a_record_of_format_2_is_read_without_what_came_with_3() -> None:
    written = document(everything())
    written["format"] = 2
    for text in written["scripts"]:
        del text["programs"], text["expected"]
    for result in written["results"]:
        del result["again"]
        for step in filter(None, [result["operation"], *(seen["operation"] for seen in result["sightings"])]):
            del step["difference"], step["depends_on"]
    old = parse(json.dumps(written), "a run")
    assert [one.verdict for one in old.results] == [one.verdict for one in everything().results]
    assert not any(text.programs for text in old.scripts)
    for render in (markdown.render, junit.text, lambda report: page.render(report, None)):
        assert "Attach(event=e, program=p)" in render(old)


def damaged(path: str, value: Any) -> str:
    written: Any = document(everything())
    *parents, last = path.split(".")
    place = written
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    place[int(last) if last.isdigit() else last] = value
    return json.dumps(written)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "not the record of a run"),
        ("{}", "not the record of a run"),
        (damaged("format", FORMAT + 1), "newer hil"),
        (damaged("results", 3), "results is int"),
        (damaged("results.1.verdict", "perhaps"), "results[1].verdict is 'perhaps'"),
        (damaged("machines.0.command", ["qemu", 1]), "machines[0].command[1] is int"),
        (damaged("seconds", "long"), "seconds is str"),
        (damaged("machines.0", {}), "machines[0].kernel is missing"),
        ("[" * 100_000, "not JSON"),
        (damaged("lanes.0", "debian-12"), "'debian-12' is not KERNEL/ARCH/ENGINE"),
        (damaged("lanes.0", "debian-12/arm64/fast"), "'debian-12/arm64/fast' is not KERNEL/ARCH/ENGINE"),
        (damaged("machines", []), "no machine debian-12/arm64"),
        (
            damaged("results.0.lane", "debian-99/arm64/jit"),
            "debian-99/arm64/jit, which is none of its lanes",
        ),
        (damaged("results.1.seconds", -1.0), "results[1].seconds is -1.0"),
        (damaged("results.1.seconds", math.inf), "results[1].seconds is inf"),
        (damaged("seconds", 10**400), "seconds is inf"),
        (damaged("results.0.reason", "\ud800"), "results[0].reason is not Unicode"),
        (damaged("machines.0.provenance", {"sha256": "c0ffee"}), "machines[0].provenance.sha256 is str"),
        (damaged("machines.0.provenance", {"packages": ["linux"]}), "machines[0].provenance.packages[0] is str"),
    ],
)
def test_anything_else_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text, "it")
    assert said in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read(tmp_path / "results.json")


def test_names_of_files_that_are_no_text_are_read_again(tmp_path: Path) -> None:
    strange = replace(everything(), command=("hil", "check", "./\udcff\u2603.o"))
    strange.write(tmp_path / "results.json")
    assert read(tmp_path / "results.json").command == ("hil", "check", "./\\udcff\u2603.o")
    assert document(strange) == document(read(tmp_path / "results.json"))
