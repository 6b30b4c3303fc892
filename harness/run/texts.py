"""A plan's scripts in words, for those who read a run's results without its sources."""

from __future__ import annotations

from collections.abc import Sequence

from harness.run.plan import Share
from harness.run.results import ScriptText
from harness.script.source import Source
from harness.script.text import describe


def texts(shares: Sequence[Share]) -> tuple[ScriptText, ...]:
    """Every script once, or once for each of its forms where architectures or eras give it different operations."""
    machines: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    sources: dict[tuple[str, str, tuple[str, ...]], Source | None] = {}
    for share in shares:
        for script in share.scripts:
            form = (script.name, script.sentence, tuple(describe(operation) for operation in script.operations))
            machines.setdefault(form, []).append(f"{share.kernel}/{share.arch}")
            sources.setdefault(form, script.source)
    return tuple(ScriptText(*form, tuple(where), sources[form]) for form, where in machines.items())
