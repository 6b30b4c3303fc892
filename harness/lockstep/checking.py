# SPDX-License-Identifier: MIT
"""A script in lockstep: run on a lane while it is recorded, carried out in the model, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.lockstep.comparing import Compared, Comparison, Coverage
from harness.lockstep.differing import difference
from harness.lockstep.expected import trace
from harness.lockstep.findings import Examined, lines, most
from harness.lockstep.recording import LockstepLane, Recorded
from harness.lockstep.refusals import refusals
from harness.lowering.executor import Missed
from harness.model.environment import Environment
from harness.model.instructions.table import Table
from harness.script.operations import RunThreads, Script

CONCURRENT = "its programs run in several threads at once, for which the model has no one order"
EMPTY = "none of its programs ran, in the guest or in the model"
REFUSED = "its programs were refused, by the kernel or by the model"
NOTHING = "no instruction ran both in the guest and in the model"


@dataclass(frozen=True)
class Checked:
    """A script in lockstep: what the guest did, and how it compares."""

    script: Script
    recorded: Recorded
    compared: Sequence[Compared]
    examined: Examined

    def lines(self) -> Iterator[str]:
        """Yields the result as text."""
        yield from lines(self.examined)


def check(lane: LockstepLane, script: Script, instructions: Table | None = None) -> Checked:
    """Runs a script on a lane and compares every instruction with the model, in which a fault may be planted by
    `instructions`; errors as `LockstepLane.record`."""
    recorded = lane.record(script)
    return compare(lane.environment, script, recorded, instructions)


def compare(
    environment: Environment,
    script: Script,
    recorded: Recorded,
    instructions: Table | None = None,
) -> Checked:
    """Compares what was recorded with the model."""
    if isinstance(recorded.seen, Missed):
        return Checked(script, recorded, (), Examined(note=f"it was lost: {recorded.seen.reason}"))
    if any(isinstance(operation, RunThreads) for operation in script.operations):
        return Checked(script, recorded, (), Examined(note=CONCURRENT))
    runs, predictions = trace(environment, script, recorded.seen.outcomes, instructions)
    refused = tuple(refusals(recorded.seen, recorded.reasons, predictions))
    comparison = Comparison({one.instructions for one in recorded.programs if one.refused})
    compared = comparison.compare(runs, recorded.runs)
    found = next((number for number, one in enumerate(compared) if one.parting), None)
    parting = None
    if found is not None:
        program = compared[found].model.program
        number = sum(one.model.program == program for one in compared[: found + 1])
        parting = difference(compared[found], number, environment.arch)
    coverage = comparison.coverage
    note = ""
    if not coverage.steps and parting is None:
        note = REFUSED if refused else NOTHING if runs or recorded.runs else EMPTY
    examined = Examined(
        coverage.runs,
        coverage.steps,
        coverage.values,
        coverage.pointers,
        coverage.stack,
        tuple(_left_out(coverage, compared)),
        parting,
        note,
        sum(bool(one.model.stop and one.guest) for one in compared),
        refused,
    )
    return Checked(script, recorded, compared, examined)


def _left_out(coverage: Coverage, compared: Sequence[Compared]) -> Iterator[str]:
    yield from most(list(coverage.unknown.items()), "registers")
    yield from most(list(coverage.passed.items()), "steps")
    if coverage.unmatched:
        yield f"{coverage.unmatched} runs: the model has none for them, as when others than the script hit its probe"
    stopped = [one.model.stop for one in compared if one.model.stop]
    yield from most([(why, stopped.count(why)) for why in dict.fromkeys(stopped)], "runs to their end")
