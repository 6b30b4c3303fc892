# SPDX-License-Identifier: MIT
"""Standard streams that nobody reads any more, or that take nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chaos.kind import THROUGH, Kind, kept
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
    """`hil run | head -N`: the run goes on, and its status is its own."""

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

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0]:
            yield f"exit status {codes[0]}"
        yield from kept(trial, codes[0])


class NothingTaken(Kind):
    """Standard output is a full disk: said on standard error, and the run goes on."""

    name = "output-disk-full"
    bound = THROUGH

    def inject(self, trial: Trial) -> None:
        with Path("/dev/full").open("wb") as full:
            trial.strike()
            trial.start(short(trial), stdout=full.fileno(), stderr=-1)

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0]:
            yield f"exit status {codes[0]}"
        if "No space left" not in trial.child.said:
            yield f"it does not say what is wrong with its output: {trial.child.said!r}"
        yield from kept(trial, codes[0])


class PrintingReaderGone(Kind):
    """The same of commands that only print: as SIGPIPE would end them, or to their end."""

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

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] not in (0, _SIGPIPE):
            yield f"exit status {codes[0]}"
        if trial.child.said:
            yield f"it says {trial.child.said!r}"


class WrongUsageUnheard(Kind):
    """No standard stream at all, and wrong usage: the status still says so."""

    name = "closed-streams"
    bound = 60.0

    def inject(self, trial: Trial) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        trial.strike()
        trial.start(("run", "--lanes", "absent"), stdout=writer, stderr=writer)
        os.close(writer)

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] != 2:
            yield f"exit status {codes[0]}"


KINDS = (ReaderGone, NothingTaken, PrintingReaderGone, WrongUsageUnheard)
