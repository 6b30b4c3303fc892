# SPDX-License-Identifier: MIT
"""Pages that people read: what they name is there, and what they link to, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.lane import Engine

ROOT = Path(__file__).resolve().parents[1]
PAGES = [page.relative_to(ROOT) for page in sorted((*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/*.md")))]
ARCHITECTURE, GLOSSARY = Path("docs/architecture.md"), Path("docs/glossary.md")
PLACE = re.compile(r"`((?:hil|harness|guest|images|tests|ci|docs)/[\w./*-]*[\w/*])`")
"""A file or folder of the tree, as a page names it."""
LINK = re.compile(r"\[[^]\n]+\]\((?!https?:)([^)\s]+)\)")
ENTRY = re.compile(r"\*\*(?P<word>[^*]+)\*\*: (?P<sentence>.+)", re.DOTALL)
WORDS = {
    *("agent", "clause", "core script", "distribution", "engine", "era", "executor", "expectation", "guest root"),
    *("kernel", "lane", "machine", "model", "observation", "open", "operation", "outcome", "prediction", "release"),
    *("script", "session", "target", "trigger", "unpredicted", "verdict", "lowering", "need", "round"),
}
"""What nobody can read the code or a report without."""


def entries() -> dict[str, str]:
    """The words of the glossary in its order, each with all that is said of it."""
    blocks = (ROOT / GLOSSARY).read_text().split("\n\n")
    found = (ENTRY.fullmatch(block.strip()) for block in blocks)
    return {match["word"]: match["sentence"] for match in found if match}


def headings(page: Path) -> Iterator[str]:
    """The anchors that GitHub gives the headings of a page."""
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            yield re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        yield from re.findall(r'<a (?:id|name)="([^"]+)"', line)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_a_page_names_is_there(page: Path) -> None:
    named = set(PLACE.findall((ROOT / page).read_text()))
    assert not {place for place in named if not list(ROOT.glob(place.rstrip("/")))}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for link in LINK.findall((ROOT / page).read_text()):
        name, _, anchor = link.partition("#")
        place = (ROOT / page).parent / name if name else ROOT / page
        assert place.exists(), link
        assert not anchor or anchor in set(headings(place)), link


def test_the_architecture_follows_a_script_through_every_part() -> None:
    text = (ROOT / ARCHITECTURE).read_text()
    assert text.count("```mermaid") == 1
    named = {place.rpartition("/")[0] for place in PLACE.findall(text)}
    assert len(named) > 15
    parts = {
        "harness/core_scripts",
        "harness/script",
        "harness/lowering",
        "harness/model",
        "harness/run",
        "harness/report",
    }
    assert not parts - named
    assert not {"hil/kernels", "hil/machine", "hil/agent", "hil/guestroot", "guest", "harness/history"} - named


def test_the_glossary_has_the_words_in_order_each_with_its_place() -> None:
    words = entries()
    assert not WORDS - set(words)
    assert list(words) == sorted(words)
    assert not [word for word, said in words.items() if not PLACE.search(said)], "these have no place in the code"
    assert all(said[0].islower() or said.startswith("QEMU") for said in words.values())


def test_the_glossary_names_every_verdict_and_engine() -> None:
    assert all(str(verdict) in entries()["verdict"] for verdict in Verdict)
    assert all(f"`{engine}`" in entries()["engine"] for engine in Engine)


def test_who_starts_to_read_is_led_to_both() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        links = set(LINK.findall((ROOT / page).read_text()))
        assert {str(ARCHITECTURE), str(GLOSSARY)} <= links, page
    assert "CHANGELOG.md" in LINK.findall((ROOT / "README.md").read_text())
