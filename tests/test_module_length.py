# SPDX-License-Identifier: MIT
"""No module is longer than what can be read at once."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES = 400


def test_no_module_has_more_than_400_lines() -> None:
    places = [place for folder in ("harness", "hil", "tests") for place in (ROOT / folder).rglob("*.py")]
    assert len(places) > 100
    lines = {str(place.relative_to(ROOT)): len(place.read_text().splitlines()) for place in places}
    too_long = {place: count for place, count in lines.items() if count > MOST_LINES}
    assert not too_long, "split it by what it is about"
