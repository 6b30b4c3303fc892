# SPDX-License-Identifier: MIT
"""The formats others read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from kcidb_io.schema import LATEST  # type: ignore[import-untyped]

from harness.compare import Verdict
from harness.history import kcidb, ktap
from harness.run.results import RunReport
from hil.errors import UserError
from tests.harness.reports import LANES, everything, report, reports, result

GOLDEN = Path(__file__).parent / "everything.ktap"


def test_ktap_reads_as_the_golden_file() -> None:
    assert ktap.text(everything()) == GOLDEN.read_text()


def test_ktap_keeps_a_line_a_line() -> None:
    made = result(LANES[0], "counting", Verdict.LOST)
    lines = ktap.text(report(made.__class__(LANES[0], "coun#ting", Verdict.LOST, "it\npanicked"), lanes=LANES[:1]))
    assert "  not ok 1 coun_ting # ERROR it panicked\n" in lines


@settings(deadline=None)
@given(reports())
def test_ktap_counts_what_it_plans(made: RunReport) -> None:
    lines = ktap.text(made).splitlines()
    assert lines[:2] == ["KTAP version 1", f"1..{len(made.lanes)}"]
    assert sum(line.startswith(("ok ", "not ok ")) for line in lines) == len(made.lanes)
    assert sum(line.startswith(("  ok ", "  not ok ")) for line in lines) == len(made.results)


@settings(deadline=None)
@given(reports())
def test_kcidb_accepts_what_is_exported(made: RunReport) -> None:
    exported = json.loads(json.dumps(kcidb.document(made)))
    assert LATEST.is_compatible(exported)
    LATEST.upgrade(exported)  # validates, too
    assert len(exported["tests"]) == len(made.results)
    assert len({test["id"] for test in exported["tests"]}) == len(made.results)
    assert {test["build_id"] for test in exported["tests"]} <= {build["id"] for build in exported["builds"]}


def test_kcidb_tells_what_failed() -> None:
    tests = kcidb.document(everything(), "our_ci")["tests"]
    assert [test["status"] for test in tests[:7]] == ["PASS", "FAIL", "FAIL", "FAIL", "SKIP", "ERROR", "MISS"]
    assert tests[1]["path"] == "hil.lookup"
    assert tests[1]["id"].startswith("our_ci:")
    assert tests[1]["log_excerpt"].splitlines()[:4] == [
        "operation 4, Attach: differs",
        "operation 4: Attach(event=e, program=p)",
        "predicted: EEXIST",
        "observed: 0",
    ]


def test_kcidb_ids_are_the_same_whenever_a_run_is_exported() -> None:
    assert kcidb.document(everything()) == kcidb.document(everything())


def test_kcidb_knows_what_an_origin_is() -> None:
    with pytest.raises(UserError, match="origin"):
        kcidb.document(everything(), "Our CI")
