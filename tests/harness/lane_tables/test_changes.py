# SPDX-License-Identifier: MIT
from pathlib import Path

from harness.lane_tables.changes import markdown
from harness.model.upstream import CHANGES
from harness.release import dotted

PAGE = Path(__file__).resolve().parents[3] / "docs" / "eras.md"


def test_the_page_is_what_the_model_says_today() -> None:
    assert PAGE.read_text() == markdown(), "write it again: make pages"


def test_every_change_is_under_its_release() -> None:
    page = markdown().replace("\\", "")
    for one in CHANGES:
        section = page.partition(f"## {dotted(one.since)}\n")[2].partition("\n## ")[0]
        assert one.sentence in section, one.sentence
