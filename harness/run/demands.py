# SPDX-License-Identifier: MIT
"""Demands on a run, besides that nothing diverges: `--require`, `--require-predicted`, `--strict`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.compare import Verdict
from harness.counting import counted
from harness.run.results import RunReport
from hil.errors import BenchError


@dataclass(frozen=True)
class Demands:
    """`kernels` must not be unsupported on any of their lanes; with `predicted` the model or a clause must have a word
    for every operation, with `expected` none may fail unless somebody said that it should.
    """

    kernels: tuple[str, ...] = ()
    predicted: bool = False
    expected: bool = False

    def broken(self, report: RunReport) -> dict[str, BenchError]:
        """Returns the demands that a run does not meet, by their options, and why."""
        return dict((*self._unsupported(report), *self._unpredicted(report), *self._failed(report)))

    def check(self, report: RunReport) -> None:
        """Raises BenchError for the first demand that a run does not meet."""
        for broken in self.broken(report).values():
            raise broken

    def _unsupported(self, report: RunReport) -> Iterator[tuple[str, BenchError]]:
        for lane in report.lanes:
            kernel, results = lane.split("/")[0], report.of(lane)
            if kernel in self.kernels and all(result.verdict is Verdict.UNSUPPORTED for result in results):
                reason = f"{kernel} is required, but {lane} is unsupported: {results[0].reason}"
                yield f"--require {kernel}", BenchError(reason)

    def _unpredicted(self, report: RunReport) -> Iterator[tuple[str, BenchError]]:
        if self.predicted and report.unsaid:
            result, step = report.unsaid[0]
            yield (
                "--require-predicted",
                BenchError(
                    f"neither the model nor a clause says what {counted(len(report.unsaid), 'operation')} should "
                    f"give; the first is {step.operation} of {result.script} on {result.lane}: {step.prediction}",
                    remedy="give the model the rule or the clause an expectation; without --require-predicted and "
                    "--strict this is only reported",
                ),
            )

    def _failed(self, report: RunReport) -> Iterator[tuple[str, BenchError]]:
        if self.expected and report.failed_unasked:
            remedy = "expect the errno, or mend the script; without --strict this is only reported"
            yield "--strict", BenchError(report.failed_unasked, remedy=remedy)


NO_DEMANDS = Demands()
