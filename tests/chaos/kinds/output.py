# SPDX-License-Identifier: MIT
"""Standard streams whose reader is gone, or that cannot be written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chaos.kind import THROUGH, Kind, check_record
from tests.chaos.kinds.machines import short
from tests.chaos.trial import Trial

_PRINTING = (
    ("lanes",),
    ("run", "--list"),
    ("conform", "--list"),
    ("kernels", "list"),
    ("kernels", "show", "debian-12"),
    ("kernels", "list", "--json"),
    ("history", "list"),
    ("show", "counting"),
    ("model", "--help"),
    ("conform", "--help"),
    ("--help",),
    ("fuzz", "--help"),
)
_SIGPIPE = 141


class ReaderGone(Kind):
    """`hil run | head -N`: the run continues, and its exit status does not change."""

    name = "reader-gone"
    bound = THROUGH

    def inject(self, trial: Trial) -> None:
        reader, writer = os.pipe()
        stderr = trial.random.random() < 0.5
        trial.facts["stderr, too"] = stderr
        trial.start(short(trial), stdout=writer, **({"stderr": writer} if stderr else {}))
        os.close(writer)
        lines = trial.random.randrange(6)
        with os.fdopen(reader, "rb") as stream:
            for _ in range(lines):
                stream.readline()
            trial.strike()

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0]:
            yield f"exit status {codes[0]}"
        yield from check_record(trial, codes[0])


class NothingTaken(Kind):
    """Standard output is a full disk: standard error says so, and the run continues."""

    name = "output-disk-full"
    bound = THROUGH

    def inject(self, trial: Trial) -> None:
        with Path("/dev/full").open("wb") as full:
            trial.strike()
            trial.start(short(trial), stdout=full.fileno(), stderr=-1)

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0]:
            yield f"exit status {codes[0]}"
        if "No space left" not in trial.child.output:
            yield f"it does not report the error of its output: {trial.child.output!r}"
        yield from check_record(trial, codes[0])


class PrintingReaderGone(Kind):
    """The reader of a command that only prints is gone: it ends with 0, or as after SIGPIPE."""

    name = "printing-reader-gone"
    weight = 3
    bound = 60.0

    def inject(self, trial: Trial) -> None:
        arguments = trial.random.choice(_PRINTING)
        trial.facts["arguments"] = arguments
        reader, writer = os.pipe()
        trial.start(arguments, stdout=writer, **({"stderr": writer} if trial.random.random() < 0.3 else {}))
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            for _ in range(trial.random.randrange(3)):
                stream.readline()
            trial.strike()

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] not in (0, _SIGPIPE):
            yield f"exit status {codes[0]}"
        if trial.child.output:
            yield f"it printed {trial.child.output!r}"


class WrongUsageUnheard(Kind):
    """Wrong usage with closed standard streams: the exit status is still that of wrong usage."""

    name = "closed-streams"
    bound = 60.0

    def inject(self, trial: Trial) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        trial.strike()
        trial.start(("run", "--lanes", "absent"), stdout=writer, stderr=writer)
        os.close(writer)

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] != 2:
            yield f"exit status {codes[0]}"


KINDS = (ReaderGone, NothingTaken, PrintingReaderGone, WrongUsageUnheard)
