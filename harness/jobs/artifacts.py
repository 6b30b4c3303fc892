# SPDX-License-Identifier: MIT
"""The files of runs that users start: all reports, and a line of the history."""

from __future__ import annotations

from harness import history
from harness.report import junit, page
from harness.run.artifacts import RESULTS, Artifacts

EVERYTHING = Artifacts(
    {
        **RESULTS.files,
        "junit.xml": junit.write,
        "report.html": lambda report, path: page.write(report, path.parent, path),
    },
    history.keep,
)
"""`results.json`, `junit.xml` and `report.html`; the history reports its failures itself."""
