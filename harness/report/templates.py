# SPDX-License-Identifier: MIT
"""The templates of pages, and what all pages have."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.counting import counted
from harness.lane import compact
from harness.script.brief import brief

FOLDER = Path(__file__).parent

# Autoescape by name would leave a `.j2` alone; everything on a page that guests or users wrote is escaped.
TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.filters |= {"brief": brief, "compact": compact, "counted": counted}


def style() -> Markup:
    """Returns the style sheet, which is part of each page."""
    return Markup((FOLDER / "page.css").read_text())
