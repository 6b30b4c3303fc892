# SPDX-License-Identifier: MIT
"""Programs of objects on lanes as the model alone predicts them, without machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.check.looking import blank, checked, untried
from harness.check.trying import Trial
from harness.lane import Lane
from harness.model.distribution import configured
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.objects.loading import Stage
from harness.run.checked import Answer, Checked, Why
from harness.script.needs import CPUS
from harness.script.outcome import Outcome, Prediction, Unknown, Unpredicted
from hil.kernels.configuration import options_of
from hil.kernels.kernel import Kernel


def environment(kernel: Kernel, lane: Lane) -> Environment:
    """Returns what the records of a kernel say of a lane, of which nothing runs."""
    return Environment(
        era=kernel.era,
        arch=kernel.arch.name,
        version_code=kernel.version_code,
        engine=str(lane.engine),
        cpus=CPUS,
        distribution=kernel.distribution or configured(options_of(kernel.config)),
    )


def modelled(lane: Lane, kernel: Kernel, trials: Sequence[Trial]) -> Iterator[Checked]:
    """Yields a prediction for each program."""
    where = environment(kernel, lane)
    model = ModelExecutor(where)
    for trial in trials:
        if trial.script is None:
            yield untried(str(lane), trial, None)
        else:
            yield _predicted(lane, trial, model.run(trial.script), where)


def _predicted(lane: Lane, trial: Trial, predictions: Sequence[Prediction], where: Environment) -> Checked:
    load = trial.load
    assert load is not None
    verdict = predictions[load]
    if not isinstance(verdict, Outcome):
        why = verdict.reason if isinstance(verdict, Unpredicted) else "it depends on what nobody can know"
        known = Why(Stage.LOAD, f"the model cannot tell whether it loads: {why}", kind="unpredicted")
        return replace(blank(str(lane), trial), loads=Answer.UNKNOWN, whys=(known,))
    outcomes = [one if isinstance(one, Outcome) else Outcome(value=Unknown("unpredicted")) for one in predictions]
    found = checked(lane, trial, outcomes, predictions, where)
    unknown = [one for at in trial.at(Stage.ATTACH) if isinstance(one := predictions[at], Unpredicted)]
    if found.attaches is Answer.YES and unknown:
        known = Why(Stage.ATTACH, f"the model cannot tell whether it attaches: {unknown[0].reason}", kind="unpredicted")
        return replace(found, attaches=Answer.UNKNOWN, fires=Answer.UNTRIED, hits=None, whys=(known,))
    return found
