# SPDX-License-Identifier: MIT
"""Hooks of MkDocs for the site: pages from outside docs/, and links between them all.

A page is written to be read in the repository. In the site, links to other pages lead to these; a link to anything else
of the repository is its text alone, since the site does not have it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from ci import reference

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "ci.md": "ci/README.md",
    "examples.md": "examples/README.md",
}
"""The pages of the site that are files elsewhere in the repository."""
_LINK = re.compile(r"(?<!!)\[(?P<text>[^]]+)\]\((?!\w+:)(?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lists pages of docs/ that mkdocs.yml does not place at the end of the navigation."""
    placed = set(re.findall(r"[\w./-]+\.md", str(config.nav)))
    rest = sorted(page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md"))
    if more := [page for page in rest if page not in placed]:
        config.nav = [*(config.nav or []), {"More": more}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages from elsewhere, and those of the reference that are written from the code."""
    for name, path in ELSEWHERE.items():
        files.append(File.generated(config, name, content=(ROOT / path).read_text()))
    for name in reference.PAGES:
        files.append(File.generated(config, f"reference/{name}.md", content=reference.page(name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns the links of a page into those of the site."""
    name = page.file.src_uri
    source = ROOT / ELSEWHERE.get(name, f"docs/{name}")
    return _LINK.sub(lambda link: _of_the_site(link, name, source, files), markdown)


def _of_the_site(link: re.Match[str], name: str, source: Path, files: Files) -> str:
    text, target, anchor = link["text"], link["target"], link["anchor"] or ""
    if not target:
        return link[0]
    path = (source.parent / target).resolve().relative_to(ROOT).as_posix()
    found = next((page for page, file in ELSEWHERE.items() if file == path), path.removeprefix("docs/"))
    there = files.get_file_from_path(found)
    if there is None or there.inclusion.is_excluded():
        return text if (ROOT / path).exists() else link[0]
    return f"[{text}]({os.path.relpath(found, Path(name).parent)}{anchor})"
