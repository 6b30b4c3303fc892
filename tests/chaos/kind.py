# SPDX-License-Identifier: MIT
"""What a kind of fault is: how `hil` is started, how the fault is brought about, and what is right afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from harness.lowering.executor import PATIENCE
from hil.machine.machine import BOOT, LOGIN, QMP_ANSWER, QUIT, TERMINATE
from tests.chaos.trial import Trial

LEAVING = QUIT.seconds + TERMINATE.seconds + 10
"""Nominal seconds from an end that is asked for to the end: QEMU's deadlines, one after the other, and the writing."""
THROUGH = QMP_ANSWER.seconds + BOOT.seconds + LOGIN.seconds + PATIENCE
"""Nominal seconds to the end of a short run that goes on whatever happens: the longest it may wait for anything."""

_WRONG_WORDS = ("Traceback (most recent call last)", "internal error", "Exception ignored", "Fatal Python error")


class Kind(ABC):
    """One kind. An instance may serve several trials at once, so what a trial needs to remember is the trial's."""

    name: ClassVar[str]
    weight: ClassVar[int] = 1
    """How many trials it gets where others get one."""
    bound: ClassVar[float] = LEAVING
    """Nominal seconds from the fault to when the bench has noticed."""
    patient: ClassVar[bool] = False
    """Whether a trial takes minutes, because what it provokes is one of the bench's long deadlines."""
    quiet: ClassVar[bool] = True
    """Whether what lies about afterwards counts; not where the bench itself was killed."""

    def __str__(self) -> str:
        return self.name

    def prepare(self, trial: Trial) -> None:  # noqa: B027
        """Before the first `hil` starts."""

    @abstractmethod
    def inject(self, trial: Trial) -> None:
        """Start what is to be disturbed, and disturb it; say when with `trial.strike`."""

    @abstractmethod
    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        """What is wrong, a sentence each, once every child has ended with `codes`; nothing when all is right."""

    def finish(self, trial: Trial) -> None:  # noqa: B027
        """Whatever happened: undo what outlives the processes."""


def wrongs(kind: Kind, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
    """What is wrong with the end of a trial of any kind, and with this one."""
    for child in trial.children:
        for words in _WRONG_WORDS:
            if words in child.said:
                yield f"it says {words!r}"
    if left := trial.left_running():
        yield f"still running: {'; '.join(left)}"
    if kind.quiet and (left := trial.left_lying()):
        yield f"left lying about: {', '.join(left)}"
    yield from kind.right(trial, codes)


def kept(trial: Trial, code: int, *, interrupted: bool = False) -> Iterator[str]:
    """What is wrong with the record of the one run of a trial that ended with `code`: folder, files and history."""
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
            yield f"results.json says interrupted: {record['interrupted']}"
        if interrupted and "report.html" in names and "interrupted" not in (folder / "report.html").read_text():
            yield "report.html does not say that it was interrupted"
    rows = trial.history()
    if [row["exit_status"] for row in rows] != [code]:
        yield f"the history says {[row['exit_status'] for row in rows]} of a run that ended with {code}"


def verdicts(trial: Trial) -> dict[str, int]:
    """How often `results.json` has each verdict, of the one run of a trial."""
    counts: dict[str, int] = {}
    for folder in trial.folders()[-1:]:
        for result in trial.record(folder)["results"]:
            counts[result["verdict"]] = counts.get(result["verdict"], 0) + 1
    return counts
