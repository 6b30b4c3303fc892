# SPDX-License-Identifier: MIT
"""The documentation as a site: built without a warning, with links that lead somewhere and pages that are current."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args
from urllib.parse import unquote, urlsplit

import pytest

from ci import reference
from harness.script.operations import Operation
from harness.script.triggers import TRIGGERS

ROOT = Path(__file__).resolve().parents[1]


class Page(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {name for key in ("id", "name") if (name := given.get(key))}
        if tag in ("a", "link", "script", "img") and (link := given.get("href") or given.get("src")):
            self.links.add(link)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 20
    lost = []
    for path, page in pages.items():
        for link in page.links:
            where = urlsplit(link)
            if where.scheme or where.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(where.path)).resolve() if where.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists() or (where.fragment and unquote(where.fragment) not in pages[target].anchors):
                lost.append((path.name, link))
    assert not lost


def test_every_page_is_in_the_site_and_reached(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    first = Page(site / "index.html").links
    assert not [page for page in pages if not (site / page).exists() or str(page) not in first]


def test_the_reference_has_every_command_operation_and_record() -> None:
    """With what the code says of each."""
    pages = {name: reference.page(name) for name in reference.PAGES}
    assert "### hil debug\n" in pages["commands"] and "### hil history export\n" in pages["commands"]
    for one in get_args(Operation):
        assert f"### {one.__name__}\n\n```python\nop.{one.__name__}(\n" in pages["operations"]
    assert all(f"| `{name}` |" in pages["operations"] for name in TRIGGERS)
    assert "| `write_null` | buf, count | `write_null(?, buf, count, ?)` | write |" in pages["operations"]
    assert "argument(1)` is the second one" in pages["operations"] and "| `arm64` | x0 x1 " in pages["operations"]
    assert "\n    (79) r2 = *(u64 *)(r1 +112)  " in pages["operations"]
    assert "| `command` | tuple[str, ...] |" in pages["results"] and "## ScriptResult\n" in pages["results"]


def test_what_the_troubles_are_called_is_what_is_said() -> None:
    """The phrases of docs/troubleshooting.md are those of the sources."""
    page = (ROOT / "docs/troubleshooting.md").read_text()
    said = re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
    assert len(said) > 8
    sources = "".join(path.read_text() for part in ("hil", "harness") for path in (ROOT / part).rglob("*.py"))
    flat = re.sub(r"\s*\"\s*\n\s*f?\"|\{[^}\n]*\}", "", sources)
    words = [part for phrase in said for quoted in re.findall(r"`([^`]+)`", phrase) for part in quoted.split("...")]
    specific = re.compile(r"qemu-system-x86_64|arm64")
    assert not [word for word in words if specific.sub("", word).strip() not in flat]
