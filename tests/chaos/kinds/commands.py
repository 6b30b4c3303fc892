# SPDX-License-Identifier: MIT
"""Signals to commands other than `hil run` that boot machines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from tests.chaos.kind import Kind
from tests.chaos.kinds.signals import ENDING
from tests.chaos.trial import Trial


class CommandEnded(Kind):
    """One or two signals to a command with a running machine: it ends with that signal's status, and leaves nothing."""

    name = "command-ended"
    weight = 2

    def inject(self, trial: Trial) -> None:
        lane = trial.lane()
        commands = (
            ("fuzz", "--lanes", lane, "--cases", "3000", "--seed", str(trial.random.randrange(1000))),
            ("conform", "--lanes", lane, "--repeat", "100"),
            ("bench",),
            ("debug", lane),
        )
        trial.facts["arguments"] = arguments = trial.random.choice(commands)
        trial.facts["signal"] = trial.random.choice(ENDING)
        trial.start(arguments)
        trial.machines()
        time.sleep(trial.random.uniform(0, 8))
        trial.strike()
        trial.child.send(trial.facts["signal"])
        if trial.random.random() < 0.5:
            time.sleep(10 ** trial.random.uniform(-4, 0))
            trial.child.send(trial.facts["signal"])

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        output = trial.child.output.rstrip()
        if trial.facts["arguments"][0] == "debug" and output.endswith(": agree") and "hil: ended by" not in output:
            return  # on a fast host it had ended before the signal came
        if codes[0] != 128 + trial.facts["signal"]:
            yield f"exit status {codes[0]}"


KINDS = (CommandEnded,)
