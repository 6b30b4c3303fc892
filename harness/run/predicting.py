# SPDX-License-Identifier: MIT
"""The model's predictions for the scripts of a share, which it is asked for once where both engines have the same."""

from __future__ import annotations

from collections.abc import Sequence

from harness.lowering.executor import Missed, Observed
from harness.model.engines import engine_matters
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.run.judging import predict
from harness.script.outcome import Outcome, Prediction


class Predictions:
    """The predictions for one machine's lanes. Those for a script that was observed are kept until it was observed
    again, on the other engine: they hold there if the kernel is the same in all else, nothing in the script depends on
    the engine, and the outcomes, by which the model goes on where it has no word, are the same. All models that are
    asked differ by their kernels alone."""

    def __init__(self, engines: int) -> None:
        """`engines` is how many the scripts run on; for one alone nothing is kept."""
        self._shared = engines > 1
        self._kept: dict[str, tuple[Environment, Sequence[Outcome], list[Prediction]]] = {}

    def of(self, model: ModelExecutor, seen: Observed | Missed) -> list[Prediction]:
        """Returns what `harness.run.judging.predict` does."""
        if not self._shared or isinstance(seen, Missed) or engine_matters(model.environment, seen.script):
            return predict(model, seen)
        environment = model.environment.of_any_engine
        whose, outcomes, predictions = self._kept.pop(seen.script.name, (None, (), []))
        if whose == environment and outcomes == seen.outcomes:
            return predictions
        predictions = predict(model, seen)
        self._kept[seen.script.name] = environment, seen.outcomes, predictions
        return predictions
