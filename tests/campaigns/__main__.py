# SPDX-License-Identifier: MIT
"""Runs one campaign in several ways on real guests, and fails when they do not find the same.

    python -m tests.campaigns --lanes debian-12/x86_64 --cases 1024 --seed 77 --kills 10

The ways: left alone; killed by SIGKILL at random moments, each time at a time of its own after the last range or the
beginning, and resumed; two shards, merged; two workers of dask, one of which is killed in the middle. They are compared
with the one that was left alone; without it among `--ways`, with that of an earlier time in the same `--output`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from harness.fuzz.campaign import journal, plan
from harness.fuzz.campaign.totals import Totals, findings
from harness.fuzz.finding.files import FOLDER
from harness.lane import listed
from harness.run.places import places
from hil.errors import UserError

LONGEST = 3600.0
"""Seconds after which a campaign is given up."""


@dataclass(frozen=True)
class Outcome:
    """What must not depend on how a campaign was run: its cases, its findings, the counts of verdicts, what it
    reached; and, where its ranges are as large, the names of the files of findings, as two of a kind and range are
    made smaller."""

    cases: tuple[int, ...]
    findings: tuple[tuple[str, ...], ...]
    counts: tuple[tuple[str, ...], ...]
    reached: tuple[str, ...]
    files: tuple[str, ...]
    size: int

    @classmethod
    def of(cls, folder: Path) -> Outcome:
        entries = list(journal.read(folder))
        campaign = plan.read(folder)
        totals = Totals(campaign.lanes)
        for entry in entries:
            totals.add(entry)
        counts = ((lane, verdict.value, str(n)) for lane, one in totals.counts().items() for verdict, n in one.items())
        return cls(
            tuple(sorted(number for entry in entries for number in entry.numbers)),
            tuple(sorted((one.lane, one.script, one.verdict.value) for one in findings(entries))),
            tuple(sorted(counts)),
            tuple(sorted(f"{era} {point}" for era, points in totals.reached.items() for point in points)),
            tuple(sorted(path.name for path in (folder / FOLDER).glob("*.*"))),
            campaign.size,
        )

    def differing(self, other: Outcome) -> list[str]:
        """Returns the names of what is not the same."""
        left_out = {"size"} if self.size == other.size else {"size", "files"}
        return [name for name in vars(self) if name not in left_out and getattr(self, name) != getattr(other, name)]

    def __str__(self) -> str:
        return (
            f"{len(self.cases)} cases, {len(self.findings)} findings in {len(self.files)} files, "
            f"{len(self.reached)} points covered"
        )


def begun(folder: Path) -> list[Path]:
    """Returns the folders of campaigns in the folder of a way."""
    return [path.parent for path in sorted(folder.glob(f"*/{plan.NAME}")) if not path.parent.is_symlink()]


class Way:
    """How a campaign is run, in a folder of its own."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.folder = Path(options.output) / name
        try:
            self.folder.mkdir(parents=True)
        except FileExistsError:
            raise SystemExit(
                f"{self.folder} is there, from an earlier time; remove it, or give another --output"
            ) from None
        self._options = ["--lanes", options.lanes, "--seed", str(options.seed), "--cases", str(options.cases)]
        self._log = (self.folder / "log").open("ab")

    def begin(self, *more: str) -> subprocess.Popen[bytes]:
        """Starts the campaign."""
        return self.hil(*self._options, "--output", str(self.folder), *more)

    def resume(self) -> subprocess.Popen[bytes]:
        """Goes on with it; begins it when nothing is there."""
        return self.hil("--resume", str(self.runs()[0])) if self.runs() else self.begin()

    def runs(self) -> list[Path]:
        """Returns the folders of what was begun."""
        return begun(self.folder)

    def ranges(self) -> int:
        """Returns how many ranges are recorded."""
        return sum(1 for run in self.runs() for _ in journal.read(run))

    def hil(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts `hil fuzz`."""
        command = [sys.executable, "-m", "hil", "fuzz", *arguments]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)


def ended(process: subprocess.Popen[bytes]) -> None:
    """Waits for the end; raises SystemExit when there was no verdict."""
    if process.wait(LONGEST) not in (0, 1):
        raise SystemExit(f"{process.args!r} ended with {process.returncode}")


def alone(way: Way, _: argparse.Namespace) -> str:
    ended(way.begin())
    return "left alone"


def killed(way: Way, options: argparse.Namespace) -> str:
    """Every second kill waits for a range to be through, and all for a time of their own, up to a few seconds."""
    random, behind = Random(options.seed), 0
    for number in range(options.kills):
        process, before = way.resume(), way.ranges()
        moment = random.uniform(0, 8)
        if number % 2:
            while process.poll() is None and way.ranges() == before:
                time.sleep(0.1)
            moment /= 4
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
        if process.wait() >= 0:
            ended(process)
            if not number:
                raise SystemExit("it was through before anything killed it: give more --cases")
            return f"through after {number} kills, {behind} of them behind a range"
        behind += way.ranges() > before
    ended(way.resume())
    return f"{options.kills} kills, {behind} of them behind a range that was through"


def sharded(way: Way, _: argparse.Namespace) -> str:
    for shard in (1, 2):
        ended(way.begin("--shard", f"{shard}/2"))
    merged = [word for run in way.runs() for word in ("--merge", str(run))]
    process = way.hil(*merged, "--output", str(way.folder / "merged"))
    ended(process)
    way.folder /= "merged"
    return "two shards, merged"


def clustered(way: Way, _: argparse.Namespace) -> str:
    process, dead = way.begin("--dask", "local:2"), 0
    while process.poll() is None and not dead:
        if way.ranges() > 1:
            workers = [one for one in psutil.Process(process.pid).children(recursive=True) if guests(one)]
            dead = workers[0].pid if workers else 0
        time.sleep(0.1)
    if not dead:
        raise SystemExit("no worker of dask was there to be killed")
    os.kill(dead, signal.SIGKILL)
    ended(process)
    return "two workers of dask, one killed in the middle"


def guests(process: psutil.Process) -> bool:
    """Whether a process is a worker that has a process for a guest."""
    try:
        return any("campaign.slots" in " ".join(child.cmdline()) for child in process.children())
    except psutil.Error:
        return False


WAYS: Sequence[Callable[[Way, argparse.Namespace], str]] = (alone, killed, sharded, clustered)


def chosen(names: str) -> tuple[str, ...]:
    """Returns the names of ways; raises ArgumentTypeError for others."""
    known, given = [one.__name__ for one in WAYS], listed(names)
    if wrong := [repr(name) for name in given if name not in known]:
        raise argparse.ArgumentTypeError(f"{', '.join(wrong)} is no way: there are {', '.join(known)}")
    return tuple(given)


def earlier(options: argparse.Namespace) -> Outcome:
    """Returns what the same campaign found that was left alone earlier; raises SystemExit when there is none."""
    folder = Path(options.output) / alone.__name__
    remedy = f"run {alone.__name__}, too, with another --output if there is one"
    runs = begun(folder)
    if len(runs) != 1:
        raise SystemExit(f"{folder} has no campaign to compare with: {remedy}")
    try:
        campaign, outcome = plan.read(runs[0]), Outcome.of(runs[0])
    except UserError as error:
        raise SystemExit(f"{error}: {remedy}") from error
    wanted = {
        "seed": (campaign.seed, options.seed),
        "cases": (campaign.count, options.cases),
        "lanes": (set(campaign.lanes), set(map(str, places(listed(options.lanes)).lanes))),
        "generator": (campaign.generator, plan.generator()),
        "end": (len(outcome.cases), campaign.count),
    }
    if other := [name for name, (there, here) in wanted.items() if there != here]:
        raise SystemExit(f"{runs[0]} is another campaign, by its {', '.join(other)}: {remedy}")
    return outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs every way; returns 1 when one of them finds something else than the one that was left alone."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=__doc__)
    parser.add_argument("--lanes", default="debian-12/x86_64,linux-4.1/x86_64")
    parser.add_argument("--cases", type=int, default=2048)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--ways", type=chosen, default=",".join(one.__name__ for one in WAYS))
    parser.add_argument("--output", default="runs/disturbed")
    options = parser.parse_args(arguments)
    if options.kills < 1:
        parser.error("--kills has to be at least 1")
    first = None if alone.__name__ in options.ways else earlier(options)
    different = False
    for one in WAYS:
        if one.__name__ not in options.ways:
            continue
        way, began = Way(one.__name__, options), time.monotonic()
        how = one(way, options)
        (run,) = way.runs()
        outcome = Outcome.of(run)
        first = first or outcome
        differing = outcome.differing(first)
        same = f"DIFFERENT: {', '.join(differing)}" if differing else "the same"
        different |= bool(differing)
        print(f"{one.__name__}: {how}: {outcome}: {same}; {time.monotonic() - began:.0f} s", flush=True)
    return int(different)


if __name__ == "__main__":
    sys.exit(main())
