# SPDX-License-Identifier: MIT
"""What guests made of a corpus, told in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.compare import Verdict
from harness.run.results import ScriptResult


def tell(results: Sequence[ScriptResult]) -> list[str]:
    """Print the counts of one lane; what did not agree, in words."""
    unpredicted = sum(len(result.unpredicted) for result in results)
    counts = Counter(result.verdict for result in results)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    print(f"\n{results[0].lane}: of {len(results)} {told}; {unpredicted} operations unpredicted")
    assert counts[Verdict.UNSUPPORTED] * 2 < len(results), "the model has no word for most of it"
    fine = (Verdict.AGREE, Verdict.KNOWN, Verdict.UNSUPPORTED)  # the last one where no operation is predicted
    return [f"{result.script}: {result.verdict}: {result.reason}" for result in results if result.verdict not in fine]
