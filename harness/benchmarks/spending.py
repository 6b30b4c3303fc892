# SPDX-License-Identifier: MIT
"""Where a guest's time goes in generated cases, by its own clock, which is read behind every operation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count, pairwise

from harness.lowering import events
from harness.lowering.armed import slots
from harness.lowering.context import Lowering, Reader
from harness.lowering.executor import GuestExecutor
from harness.lowering.lower import carry
from harness.lowering.trace import BILLION
from harness.script import operations as op
from harness.script.needs import FIRST_CPU
from harness.script.operations import Operation, Script
from harness.script.surroundings import ReadClock
from hil.agent.builder import BatchBuilder
from hil.agent.results import BatchResult
from hil.agent.steps import Batch
from hil.errors import BenchError

LOADING, RUNNING, ATTACHING, MAPS = "loading programs", "running them", "attaching them", "maps"
CLOSING, PROCESSES = "closing", "processes"
_KINDS: Mapping[type[Operation], str] = {
    op.LoadProgram: LOADING,
    op.RunSocketFilter: RUNNING,
    op.Trigger: RUNNING,
    op.CreateKprobe: ATTACHING,
    op.OpenEvent: ATTACHING,
    op.Attach: ATTACHING,
}
"""What the operations of generated cases do; all others are about maps."""
_CLOCK = "clock"
"""What is between two looks at the clock with nothing between them: their cost, which all others have, too."""
_DEADLINE = 60.0
_numbers = count()


def spent(executor: GuestExecutor, scripts: Sequence[Script], together: int) -> dict[str, float]:
    """Runs scripts, `together` in a process, and returns the seconds a script that the guest took for what; for
    PROCESSES, those in which a process starts and ends. Raises BenchError when a process does not come to its end."""
    total: defaultdict[str, float] = defaultdict(float)
    for start in range(0, len(scripts), together):
        batch, marks = _timed(scripts[start : start + together], executor)
        (result,) = executor.agent.exchange([batch])
        if not result.completed:
            raise BenchError(f"a benchmark case was lost: its process was {result.end}")
        times = [(what, _seconds(result, read)) for what, read in marks]
        took = [(what, until - since) for (_, since), (what, until) in pairwise(times)]
        (cost,) = (seconds for what, seconds in took if what == _CLOCK)
        for what, seconds in took:
            total[what] += max(0.0, seconds - cost)
        total[PROCESSES] += result.end.elapsed - (times[-1][1] - times[0][1])
    order = (LOADING, RUNNING, ATTACHING, MAPS, CLOSING, PROCESSES)
    return {what: total[what] / len(scripts) for what in order}


def table(by_place: Mapping[str, Mapping[str, float]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Returns headings and rows of milliseconds: a row for all that the guest does, a column for each place."""
    kinds = dict.fromkeys(what for place in by_place.values() for what in place)
    rows = [(what, *(f"{1e3 * place.get(what, 0.0):.2f}" for place in by_place.values())) for what in kinds]
    total = [f"{1e3 * sum(place.values()):.2f}" for place in by_place.values()]
    return ("milliseconds of the guest a case", *by_place), [*rows, ("all", *total)]


def _timed(scripts: Sequence[Script], executor: GuestExecutor) -> tuple[Batch, list[tuple[str, Reader]]]:
    """Returns a batch that looks at the clock behind every operation, and what is between each look and the one
    before, with the reader of the time."""
    build, marks = BatchBuilder(), list[tuple[str, Reader]]()
    lowering = Lowering(executor.guest, "", build)

    def mark(what: str) -> None:
        marks.append((what, carry(lowering, ReadClock(what))))

    for what in (PROCESSES, PROCESSES, _CLOCK):  # the first look is the slowest one
        mark(what)
    for position, script in enumerate(scripts):
        tag = f"spent{next(_numbers)}"
        lowering = Lowering(executor.guest, tag, build, kept=slots(script, position, executor.kept))
        build.pin(FIRST_CPU)
        for operation in script.operations:
            carry(lowering, operation)
            mark(_KINDS.get(type(operation), MAPS))
        events.clean_up(lowering, process_ends=False)
        mark(CLOSING)
    return build.build(_DEADLINE), marks


def _seconds(result: BatchResult, read: Reader) -> float:
    time = read(result).value
    assert isinstance(time, int)  # the clock of a kernel can be read
    return time / BILLION
