# SPDX-License-Identifier: MIT
"""The order of verdicts: which one counts when there are several."""

from __future__ import annotations

from collections.abc import Iterable

from harness.compare import Verdict
from harness.run.results import ScriptResult

_ORDER = (
    Verdict.UNSUPPORTED,
    Verdict.AGREE,
    Verdict.KNOWN,
    Verdict.DISAGREE,
    Verdict.DIVERGE,
    Verdict.FLAKY,
    Verdict.LOST,
    Verdict.ERROR,
)


def severity(verdict: Verdict) -> int:
    """Grows with what it says against the run: of a divergence something is known, of a failure nothing. What a lane
    cannot do says nothing at all, so that any other verdict counts before it."""
    return _ORDER.index(verdict)


def worst(results: Iterable[ScriptResult]) -> ScriptResult:
    """The most severe result; of several such the first."""
    return max(results, key=lambda result: severity(result.verdict))
