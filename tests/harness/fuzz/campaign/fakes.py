# SPDX-License-Identifier: MIT
"""A campaign whose guests and models are made up: what comes of a case depends on its number alone."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.compare import Verdict
from harness.fuzz.campaign import journal
from harness.fuzz.campaign.journal import Entry
from harness.fuzz.campaign.plan import Campaign, Place, read
from harness.fuzz.campaign.running import run
from harness.fuzz.campaign.totals import Totals, findings
from harness.fuzz.campaign.work import CANARY, Done, Task, tally
from harness.fuzz.finding.files import FOLDER
from harness.fuzz.finding.judging import Shrunk
from harness.judged import Judged
from harness.lane import Engine
from harness.run.results import OperationReport, ScriptResult, Tally
from harness.script.malformed import Malformed
from harness.script.operations import CreateMap, Script
from hil import programs
from hil.agent.wire import BatchError
from hil.cache import Unusable
from hil.errors import BenchError
from hil.kernels.store import NotCached
from tests.waiting import until

PLACES = tuple(Place(kernel, "x86_64", tuple(Engine), "6.1") for kernel in ("one", "two", "three"))


def campaign(count: int, size: int = 8, **fields: object) -> Campaign:
    """Of three kernels with six lanes."""
    return replace(Campaign("programs", 1, 0, count, PLACES, size=size), **fields)  # type: ignore[arg-type]


def result(lane: str, number: int) -> ScriptResult:
    """Every 7th case differs, in one of three operations; every 11th is a known divergence."""
    one = ScriptResult(lane, f"case-1-{number}", Verdict.AGREE, seconds=0.001, judged=Judged(model=3))
    step = OperationReport(number % 3, f"LookupElement{number % 3}(map=m)", "0", "1")
    if number % 7 == 0:
        reason = f"operation {step.index}, {step.operation}: predicted 0; saw {number}"
        return replace(one, verdict=Verdict.DIVERGE, reason=reason, operation=step)
    if number % 11 == 0:
        return replace(one, verdict=Verdict.KNOWN, reason=f"a fault; operation {step.index}, it", operation=step)
    return one


def work(task: Task) -> Done:
    """Makes everything up. Every 70th case is made smaller; those of one operation are one finding a lane."""
    if task.of == CANARY:
        return Done(task, tuple(Tally(str(lane), {"agree": 1}) for lane in task.place.lanes), ())
    tallies = {str(lane): Tally(str(lane), {}) for lane in task.place.lanes}
    kept, smaller = [], []
    for lane in tallies:
        for number in task.numbers:
            one = result(lane, number)
            if one.verdict is Verdict.AGREE:
                tallies[lane] += tally(one)
            else:
                kept.append(one)
            if number % 70 == 0:
                script = Script(one.script, "", (CreateMap("map", 11, 8, 8, 1),))
                smaller.append(Shrunk(one, script, one, 9, c="int main;\n"))
    reached = frozenset(f"refusal: M-{number % 50}" for number in task.numbers)
    return Done(task, tuple(tallies.values()), tuple(kept), shrunk=tuple(smaller), reached=reached)


def dying(task: Task) -> Done:
    """Its process is killed once in the middle of each second range."""
    died = task.folder / f"died-{task.place.kernel}-{task.numbers.start}"
    if task.numbers.start // len(task.numbers) % 2 and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(task)


def slow(task: Task) -> Done:
    """Takes a moment."""
    time.sleep(0.2)
    return work(task)


def slow_at_the_second_place(task: Task) -> Done:
    """Notes which processes work there."""
    if task.place == PLACES[1]:
        (task.folder / f"process-{os.getpid()}").touch()
        time.sleep(0.05)
    return work(task)


def endless_behind_the_first(task: Task) -> Done:
    """Ends with the first range only, when another process is in the middle of the second one."""
    begun = task.folder / "begun"
    if task.numbers.start:
        begun.touch()
        signal.pause()
    if task.of != CANARY:
        until(begun.exists)
    return work(task)


def unreliable(task: Task) -> Done:
    """Fails at the case that is known, on the first worker that tries."""
    first = Path(os.environ["HIL_TEST_UNRELIABLE"])
    with contextlib.suppress(FileExistsError):
        first.mkdir()
        (first / "worker").write_text(str(os.getppid()))
    if (first / "worker").exists() and (first / "worker").read_text() == str(os.getppid()):
        assert task.of == CANARY, "a worker that failed was given a task"
        raise ValueError("a broken worker")
    return slow(task)


def unable_at_the_second_place(task: Task) -> Done:
    """Fails there on the first worker that tries, whatever it is to do."""
    if task.place == PLACES[1]:
        first = Path(os.environ["HIL_TEST_UNRELIABLE"])
        with contextlib.suppress(FileExistsError):
            first.mkdir()
            (first / "worker").write_text(str(os.getppid()))
        until((first / "worker").exists)
        if (first / "worker").read_text() == str(os.getppid()):
            raise ValueError("no emulator")
    return slow(task)


def without_emulator_at_first(task: Task) -> Done:
    """The program is missing on the first worker that gets more than the case that is known."""
    first = Path(os.environ["HIL_TEST_UNRELIABLE"])
    if task.of != CANARY:
        with contextlib.suppress(FileExistsError):
            first.mkdir()
            without_emulator(task)
    return slow(task)


def hopeless(_: Task) -> Done:
    """Its process is always killed."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def noting_its_group(task: Task) -> Done:
    """Notes which group of processes it is in."""
    (task.folder / f"group-{os.getpgrp()}").touch()
    return work(task)


def faulty(_: Task) -> Done:
    raise ValueError("a fault of the bench")


def without_memory(_: Task) -> Done:
    raise MemoryError


def full(_: Task) -> Done:
    raise Unusable("/cache", errno.ENOSPC)


def without_emulator(_: Task) -> Done:
    programs.require("qemu-system-absent", "qemu-system-x86")
    raise AssertionError


def nonsense(_: Task) -> Done:
    raise Malformed("case-1-0: operation 0 makes no sense")


def too_large(_: Task) -> Done:
    raise BatchError("the batch has too many steps")


def without_kernel(_: Task) -> Done:
    raise NotCached("no kernel", remedy="import it")


def faulty_at_first(task: Task) -> Done:
    """The bench fails at the first try of each range."""
    tried = task.folder / f"tried-{task.place.kernel}-{task.numbers.start}"
    if not tried.exists():
        tried.touch()
        raise BenchError("no disk", details="full")
    return work(task)


def carried_out(folder: Path, one: Campaign, jobs: int = 2) -> Totals:
    """Runs what is left of it."""
    folder.mkdir(exist_ok=True)
    one.write(folder)
    totals = Totals(one.lanes)
    run(one, folder, jobs, lambda _: None, totals=totals, work=work)
    return totals


def found(folder: Path) -> list[tuple[str, str, str, str]]:
    """Returns all findings in the journal of a folder, in an order of their own."""
    return sorted((one.lane, one.script, one.verdict, one.reason) for one in findings(journal.read(folder)))


def files(folder: Path) -> set[str]:
    """Returns the names of the files of findings in a folder."""
    return {path.name for path in (folder / FOLDER).iterdir()}


def covered(folder: Path) -> dict[str, set[str]]:
    """Returns the points of coverage that the journal of a folder has."""
    totals = Totals(read(folder).lanes)
    for entry in journal.read(folder):
        totals.add(entry)
    return totals.reached


def counts(folder: Path) -> dict[str, dict[str, int]]:
    """Returns the number of results by lane and verdict."""
    totals = Totals(read(folder).lanes)
    for entry in journal.read(folder):
        totals.add(entry)
    return {lane: {str(name): number for name, number in one.items()} for lane, one in totals.counts().items()}


def entries(count: int, size: int) -> Iterator[Entry]:
    """Yields what the journal of so many cases has, without running anything."""
    lanes = campaign(count).lanes
    for first in range(0, count, size):
        tallies, kept = [], []
        for lane in lanes:
            results = [result(lane, number) for number in range(first, first + size)]
            others = [one for one in results if one.verdict is not Verdict.AGREE]
            agree = size - len(others)
            tallies.append(Tally(lane, {"agree": agree}, Judged(model=3 * agree), seconds=0.001 * agree))
            kept += others
        yield Entry(first, size, tuple(tallies), tuple(kept))


if __name__ == "__main__":
    from tests.harness.fuzz.campaign import fakes  # by the name under which other processes find it

    fakes.carried_out(Path(sys.argv[1]), read(Path(sys.argv[1])))
