# SPDX-License-Identifier: MIT
"""The speed of fuzzing: cases a second as campaigns run them, compared with groups whose cases have trace events of
their own, and with the model's; and the memory of a campaign's process, which does not grow with the number of
cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from harness.benchmarks.batching import another, run_all
from harness.benchmarks.ratio import Ratio, seconds
from harness.benchmarks.spending import LOADING, RUNNING, spent
from harness.core_scripts.parts import PRCTL
from harness.fuzz.campaign.plan import Place
from harness.fuzz.campaign.slots import Slot
from harness.fuzz.campaign.work import TOGETHER, Task, carry_out
from harness.fuzz.generate import cases
from harness.lane import Engine
from harness.lowering.armed import keep_armed
from harness.lowering.engine import EngineUnavailable
from harness.lowering.executor import Observed
from harness.model.executor import ModelExecutor
from harness.run.predicting import Predictions
from harness.script.operations import Script
from harness.session import Session
from hil.arch import architecture
from hil.kernels import store
from hil.target import Target

COUNT = 10 * TOGETHER
"""The cases of a round."""
RANGE = 4 * TOGETHER
"""The cases of a task, as in a campaign."""
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Fuzzing:
    """The ratios of cases a second, and the seconds of a case in the guest (`harness.benchmarks.spending`)."""

    ratios: tuple[Ratio, ...]
    spent: Mapping[str, float]


def fuzzing_ratios(
    kept: Session[Target], beside: Session[Target], rounds: int, notify: Callable[[str], None]
) -> Fuzzing:
    """Measures cases a second, all ways in turn, on two machines that are running already: `kept`, with the agent and
    the events that campaigns keep, and `beside`, where the function stays probed and the agent is one over SSH, as it
    was before campaigns kept anything. Each round has other cases, as the model keeps the verdicts of programs that it
    knows. The model is asked as campaigns ask it, for all engines. One ratio is the most that any way could be: cases
    of which the guest did nothing but load their programs and run them."""
    lane, rules, engines = str(kept.kernel), kept.environment(Engine.JIT).rules, _engines(kept)
    grouped, before, guest, predicted, costs = [], [], [], [], []
    if rules.entry_probes:
        kept.executor.keep_probes((PRCTL,), TOGETHER)
        keep_armed(beside.target, beside.executor.guest.tracing, (PRCTL,))
    with another(beside) as executor:
        for number in range(rounds + 1):
            scripts = tuple(cases(number, COUNT, rules))
            if not number:  # warm: the translator's caches, the guests' slabs
                for engine in engines:
                    _run_on(kept, scripts, engine, [])
                run_all(executor, scripts, TOGETHER)
                continue
            notify(f"fuzzing on {lane}, round {number} of {rounds}")
            before.append(COUNT / seconds(partial(run_all, executor, scripts, TOGETHER)))
            seen: dict[Engine, list[Observed]] = {engine: [] for engine in engines}
            took = [seconds(partial(_run_on, kept, scripts, *each)) for each in seen.items()]
            grouped.append(COUNT / took[-1])
            guest.append(COUNT * len(engines) / sum(took))
            predicted.append(COUNT * len(engines) / seconds(partial(_predict, kept, seen)))
            costs.append(spent(kept.executor, scripts, TOGETHER))
    most = tuple(1 / (cost[LOADING] + cost[RUNNING]) for cost in costs)
    ratios = (
        Ratio(f"{lane}: fuzzing with what is kept / without", "cases/s", tuple(grouped), tuple(before), "at least 5"),
        Ratio(f"{lane}: loading and running alone / without", "cases/s", most, tuple(before), ""),
        Ratio(f"{lane}: fuzzing, the model / the guest", "cases/s", tuple(predicted), tuple(guest), "at least 1"),
    )
    return Fuzzing(ratios, {what: fmean(cost[what] for cost in costs) for what in costs[0]})


def _engines(session: Session[Target]) -> tuple[Engine, ...]:
    """Returns the engines that the kernel has, of which the JIT is the last one; it runs afterwards."""
    there = []
    for engine in (Engine.INTERP, Engine.JIT):
        with suppress(EngineUnavailable):
            session.executor.switch(engine)
            there.append(engine)
    return tuple(there)


def _run_on(session: Session[Target], scripts: Sequence[Script], engine: Engine, seen: list[Observed]) -> None:
    session.executor.switch(engine)
    seen += run_all(session.executor, scripts, TOGETHER)


def _predict(session: Session[Target], seen: Mapping[Engine, Sequence[Observed]]) -> None:
    predictions = Predictions(len(seen))
    for engine, observed in seen.items():
        model = ModelExecutor(session.environment(engine))
        for one in observed:
            predictions.of(model, one)


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
