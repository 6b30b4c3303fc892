# SPDX-License-Identifier: MIT
"""Links to what a page says of a script: the same in every report, so that they outlast the run."""

from __future__ import annotations

from urllib.parse import quote

PAGE = "report.html"


def anchor(script: str, lane: str = "") -> str:
    """Returns the place of a script on a page, or of its result on a lane: `script-counting@debian-12/arm64/jit`."""
    place = "-".join(("script", *script.split()))  # HTML's ids may have anything but white space
    return f"{place}@{lane}" if lane else place


def link(script: str, lane: str, page: str = PAGE) -> str:
    """Returns the link to the result of a script on a lane: `report.html#script-counting@debian-12/arm64/jit`."""
    return f"{page}#{quote(anchor(script, lane), safe='/@:')}"
