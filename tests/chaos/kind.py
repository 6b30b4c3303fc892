# SPDX-License-Identifier: MIT
"""The interface of a kind of fault: how `hil` is started, how the fault is injected, and how the end is judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from harness.lowering.executor import PATIENCE
from hil.machine.waits import BOOT, LOGIN, QMP_ANSWER, QUIT, TERMINATE
from tests.chaos.trial import Trial

LEAVING = QUIT.seconds + TERMINATE.seconds + 10
"""Nominal seconds from the request to end to the end: QEMU's deadlines, one after the other, and writing the
results."""
THROUGH = QMP_ANSWER.seconds + BOOT.seconds + LOGIN.seconds + PATIENCE
"""Nominal seconds to the end of a short run that continues after the fault: the sum of the longest waits."""

_WRONG_WORDS = ("Traceback (most recent call last)", "internal error", "Exception ignored", "Fatal Python error")


class Kind(ABC):
    """One kind of fault. An instance may be used by several trials at once, so state of a trial is in `Trial.facts`."""

    name: ClassVar[str]
    weight: ClassVar[int] = 1
    """The number of trials in each turn."""
    bound: ClassVar[float] = LEAVING
    """Nominal seconds from the fault until the bench must have noticed it."""
    patient: ClassVar[bool] = False
    """Whether a trial takes minutes, because it waits for one of the bench's long deadlines."""
    quiet: ClassVar[bool] = True
    """Whether left-over files count as wrong, which they do not where the bench itself was killed."""

    def __str__(self) -> str:
        return self.name

    def prepare(self, trial: Trial) -> None:  # noqa: B027
        """Prepare the trial before the first `hil` starts."""

    @abstractmethod
    def inject(self, trial: Trial) -> None:
        """Start `hil` and inject the fault, whose time is set by `trial.strike`."""

    @abstractmethod
    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        """Yield what is wrong, a sentence each, after every child has ended with `codes`."""

    def finish(self, trial: Trial) -> None:  # noqa: B027
        """Undo what outlives the processes; always called."""


def problems(kind: Kind, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
    """Yield what is wrong with the end of a trial, by the rules for all kinds and for this one."""
    for child in trial.children:
        for words in _WRONG_WORDS:
            if words in child.output:
                yield f"it printed {words!r}"
    if left := trial.left_over_processes():
        yield f"still running: {'; '.join(left)}"
    if kind.quiet and (left := trial.left_over_files()):
        yield f"left-over files: {', '.join(left)}"
    yield from kind.judge(trial, codes)


def check_record(trial: Trial, code: int, *, interrupted: bool = False) -> Iterator[str]:
    """Yield what is wrong with the record (folder, files, history) of a trial's only run, which ended with `code`."""
    folders = trial.folders()
    if len(folders) != 1:
        yield f"there are {len(folders)} run folders"
        return
    (folder,) = folders
    names = {path.name for path in folder.iterdir()}
    if absent := {"results.json", "junit.xml", "report.html"} - names:
        yield f"the run folder lacks {', '.join(sorted(absent))}"
    if "results.json" in names:
        record = trial.record(folder)
        if record["interrupted"] != interrupted:
            yield f"results.json has interrupted: {record['interrupted']}"
        if interrupted and "report.html" in names and "interrupted" not in (folder / "report.html").read_text():
            yield "report.html does not say that it was interrupted"
    rows = trial.history()
    if [row["exit_status"] for row in rows] != [code]:
        yield f"the history has {[row['exit_status'] for row in rows]} for a run that ended with {code}"


def verdicts(trial: Trial) -> dict[str, int]:
    """The number of results with each verdict in `results.json` of a trial's only run."""
    counts: dict[str, int] = {}
    for folder in trial.folders()[-1:]:
        for result in trial.record(folder)["results"]:
            counts[result["verdict"]] = counts.get(result["verdict"], 0) + 1
    return counts
