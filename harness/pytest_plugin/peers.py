# SPDX-License-Identifier: MIT
"""One test on several lanes: of operations that nobody predicts, the lanes judge each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.crosscheck.evidence import Evidence, evidence
from harness.crosscheck.witness import Witness
from harness.lane import Lane
from harness.lowering.executor import Observed
from harness.model.environment import Environment
from harness.run.crosschecking import crosschecked
from harness.run.results import ScriptResult
from harness.script.outcome import Prediction


class Peers:
    """The outcomes that the lanes of one test had so far, by the number of the check in the test."""

    def __init__(self) -> None:
        self._found: dict[int, list[Evidence]] = {}

    def crosscheck(
        self,
        number: int,
        lane: tuple[Lane, Environment],
        seen: Observed,
        predictions: Sequence[Prediction],
        result: ScriptResult,
    ) -> ScriptResult:
        """Returns the result of a lane's check, held against the lanes before it: the verdict is `disagree` when most
        of them contradict it, and no rule explains that."""
        found = evidence(Witness.of(*lane), seen.script, predictions[: result.judged.total], seen.outcomes)
        if found is None:
            return result
        name = str(number)  # a script is named after its test, and that after its lane
        known = self._found.setdefault(number, [])
        known.append(replace(found, script=name))
        (held,) = crosschecked([replace(result, script=name)], known, {result.lane: ()})
        return replace(held, script=result.script)
