# SPDX-License-Identifier: MIT
"""The speed of fuzzing: cases a second as campaigns run them, compared with a process and a trace event a case, and
with the model's; and the memory of a campaign's process, which does not grow with the number of cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from harness.benchmarks.batching import another, run_all
from harness.benchmarks.ratio import Ratio, seconds
from harness.core_scripts.parts import PRCTL
from harness.fuzz.campaign.plan import Place
from harness.fuzz.campaign.slots import Slot
from harness.fuzz.campaign.work import TOGETHER, Task, carry_out
from harness.fuzz.generate import cases
from harness.lane import Engine
from harness.model.executor import ModelExecutor
from harness.script.operations import Script
from harness.session import Session
from hil.arch import architecture
from hil.kernels import store
from hil.target import Target

COUNT, ALONE = 5 * TOGETHER, TOGETHER
"""The cases of a round as campaigns run them, and alone."""
RANGE = 4 * TOGETHER
"""The cases of a task, as in a campaign."""
_MEBIBYTE = 1 << 20


def fuzzing_ratios(session: Session[Target], rounds: int, notify: Callable[[str], None]) -> tuple[Ratio, ...]:
    """Returns the ratios of cases a second, all ways in turn on one machine that is running already. Each round has
    other cases, as the model keeps the verdicts of programs that it knows."""
    lane, environment = str(session.kernel), session.environment(Engine.JIT)
    model = ModelExecutor(environment)
    grouped, alone, predicted = [], [], []
    with another(session) as executor:
        for number in range(1, rounds + 1):
            notify(f"fuzzing on {lane}, round {number} of {rounds}")
            scripts = tuple(cases(number, COUNT, environment.rules))
            predicted.append(COUNT / seconds(partial(_predict, model, scripts)))
            alone.append(ALONE / seconds(partial(run_all, executor, scripts[:ALONE])))
            if environment.rules.entry_probes:
                executor.keep_probes((PRCTL,), TOGETHER)
            grouped.append(COUNT / seconds(partial(run_all, executor, scripts, TOGETHER)))
            executor.let_probes_go()
    return (
        Ratio(f"{lane}: fuzzing as campaigns do / alone", "cases/s", tuple(grouped), tuple(alone), "at least 5"),
        Ratio(f"{lane}: fuzzing, the model / the guest", "cases/s", tuple(predicted), tuple(grouped), "at least 1"),
    )


def _predict(model: ModelExecutor, scripts: Sequence[Script]) -> None:
    for script in scripts:
        model.run(script)


def memory_ratio(kernel: str, arch: str, folder: Path, count: int, notify: Callable[[str], None]) -> Ratio:
    """Returns the memory of a campaign's process, model included and guest not, after `count` cases and after a tenth
    of them."""
    place = Place(kernel, arch, (Engine.JIT,), store.era(kernel, architecture(arch)))
    slot, resident = Slot(carry_out), dict[int, float]()
    try:
        for start in range(0, count, RANGE):
            numbers = range(start, min(start + RANGE, count))
            notify(f"memory: case {start} of {count} on {place}")
            slot.give(Task(place, "programs", 1, numbers, folder))
            slot.take()
            resident[numbers.stop] = slot.resident / _MEBIBYTE
    finally:
        slot.end()
    tenth = min(done for done in resident if done * 10 >= count)
    return Ratio(
        f"{place}: memory after {count} / {tenth} cases", "MiB", (resident[count],), (resident[tenth],), "at most 1.1"
    )
