# SPDX-License-Identifier: MIT
"""`--hil-on-divergence lockstep`: what diverged in a test is run once more, and compared instruction by instruction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.compare import Verdict
from harness.lane import Lane
from harness.run.examining import MOST
from harness.run.results import ScriptResult
from harness.script.operations import Script
from harness.session import LineListener


@dataclass
class Examination:
    """Runs the first scripts of each lane that diverge once more, on machines of their own whose files are below
    `folder`. `tell` receives lines of progress."""

    folder: Path
    tell: Callable[[str], None]
    _done: Counter[Lane] = field(default_factory=Counter)

    def __call__(self, lane: Lane, script: Script, result: ScriptResult) -> ScriptResult:
        """Returns the result with what lockstep finds; the result itself when it is no divergence, and of a lane of
        which MOST scripts were examined."""
        if result.verdict is not Verdict.DIVERGE or self._done[lane] == MOST:
            return result
        # with a disassembler, which tests without divergences do not need
        from harness.lockstep.explaining import explain

        self._done[lane] += 1
        self.tell(f"running {script.name} in lockstep on {lane}")
        where = self.folder / f"{lane.kernel}-{lane.arch}-{lane.engine}-lockstep-{self._done[lane]}"
        found = explain(lane, [script], where, LineListener(self.tell))
        return replace(result, lockstep=found[script.name])
