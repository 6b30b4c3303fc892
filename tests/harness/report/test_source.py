# SPDX-License-Identifier: MIT
"""A report leads to where the kernel decides what a script shows, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.compare import Verdict
from harness.report import markdown, page
from harness.run.results import RunReport
from harness.script.source import Source, source
from tests.harness.reports import LANES, report, result

PLACE = source("kernel/bpf/syscall.c: map_update_elem()", "4.1")
LINK = "https://elixir.bootlin.com/linux/v4.1.52/source/kernel/bpf/syscall.c"


def diverged(place: Source | None) -> RunReport:
    made = report(result(LANES[0], "lookup", Verdict.DIVERGE), lanes=LANES[:1])
    return replace(made, scripts=tuple(replace(text, source=place) for text in made.scripts))


def test_the_page_links_to_the_source() -> None:
    assert f'Decided in <a href="{LINK}">{PLACE.text}</a>' in page.render(diverged(PLACE), None)
    assert "Decided in" not in page.render(diverged(None), None)


def test_the_summary_links_to_the_source() -> None:
    assert f"decided in [`{PLACE.text}`]({LINK})" in markdown.render(diverged(PLACE))
    assert "decided in" not in markdown.render(diverged(None))


@pytest.mark.parametrize("link", ["javascript:alert(1)", "http://example.org/", "https://a.b/) [x](https://c", ""])
def test_no_other_link_comes_alive(link: str) -> None:
    place = Source("kernel/fork.c: do_fork()", link)
    assert "Decided in" not in page.render(diverged(place), None)
    assert "decided in" not in markdown.render(diverged(place))
