# SPDX-License-Identifier: MIT
"""One result of the many a repeated script gives: the same in every round, or what differed and when."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from harness.compare import Verdict
from harness.run.results import OperationReport, ScriptResult, Sighting
from harness.run.severity import worst

MOST_TOLD = 4
"""The number of sightings in a reason; all of them are in the result."""
_FAILED = (Verdict.LOST, Verdict.ERROR)


def summed(results: Iterable[ScriptResult]) -> tuple[ScriptResult, ...]:
    """Returns one result for each script and lane, in the order of the first round; `results` of one place are in that
    of rounds."""
    places: dict[tuple[str, str], list[ScriptResult]] = {}
    for result in results:
        places.setdefault((result.lane, result.script), []).append(result)
    return tuple(_sum(rounds) for rounds in places.values())


def _sum(rounds: Sequence[ScriptResult]) -> ScriptResult:
    """Alike, or flaky; but a round that was lost or failed makes the whole so, since nothing was learnt of it."""
    if len(rounds) == 1:
        return rounds[0]
    alike: dict[object, list[int]] = {}
    for number, result in enumerate(rounds, 1):
        alike.setdefault(_outcome(result), []).append(number)
    seconds = statistics.median(result.seconds for result in rounds)
    whole = replace(worst(rounds), seconds=seconds, rounds=len(rounds))
    if len(alike) == 1:
        return whole
    sightings = tuple(
        Sighting(tuple(numbers), first.verdict, _reason(first, rounds), first.operation)
        for numbers in alike.values()
        for first in [rounds[numbers[0] - 1]]
    )
    verdict = whole.verdict if whole.verdict in _FAILED else Verdict.FLAKY
    more = [f"{len(sightings) - MOST_TOLD} other things in other rounds"] if len(sightings) > MOST_TOLD else []
    reason = "; ".join([*map(describe, sightings[:MOST_TOLD]), *more])
    return replace(whole, verdict=verdict, reason=reason, sightings=sightings, blame=None)


def describe(sighting: Sighting) -> str:
    """`diverge in round 3: operation 4, ...`."""
    said = f"{sighting.verdict} in {numbers(sighting.rounds)}"
    return f"{said}: {sighting.reason}" if sighting.reason else said


def _outcome(result: ScriptResult) -> object:
    """Returns what must be the same in every round: the verdict, the operation it is about, and what was seen there.

    It leaves out what was seen of a divergence that is known, which its entry excuses whatever it is, and how a machine
    died. An operation for which the model has no rule counts with what was seen: it is not known to vary. The
    verifier's log never counts, because it prints addresses of maps.
    """
    if result.verdict in _FAILED:
        return result.verdict
    step = result.operation
    place = step and (step.index, step.operation, "" if result.verdict is Verdict.KNOWN else _observed(step))
    return result.verdict, place, tuple(map(_observed, result.unpredicted))


def _observed(operation: OperationReport) -> tuple[int, str]:
    return operation.index, operation.observation.partition(", log ")[0]


def _reason(result: ScriptResult, rounds: Sequence[ScriptResult]) -> str:
    """The result's own, and what it saw of unpredicted operations that gave something else in another round."""
    ever = {_observed(operation) for one in rounds for operation in one.unpredicted}
    times = Counter(index for index, _ in ever)
    varying = [
        f"operation {operation.index}, {operation.operation}: unpredicted; saw {_observed(operation)[1]}"
        for operation in result.unpredicted
        if times[operation.index] > 1
    ]
    return "; ".join(filter(None, (result.reason, *varying)))


def numbers(rounds: Sequence[int]) -> str:
    """`round 3`, `rounds 1-2, 4`."""
    runs = [[number for _, number in run] for _, run in groupby(enumerate(rounds), key=lambda pair: pair[1] - pair[0])]
    words = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"round {words}" if len(rounds) == 1 else f"rounds {words}"
