# SPDX-License-Identifier: MIT
"""A range of cases on one place, in a process of its own: guest and model, and what came of them in brief."""

from __future__ import annotations

import gc
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.compare import Verdict
from harness.core_scripts.parts import PRCTL, array, read_u64, u64
from harness.crosscheck.evidence import Evidence
from harness.fuzz import verdicts
from harness.fuzz.campaign.plan import Place
from harness.fuzz.campaign.warm import Kept
from harness.fuzz.coverage.observing import Points
from harness.fuzz.finding.judging import Kind, Shrunk, shrunk, whole
from harness.fuzz.generate import case
from harness.fuzz.known import known
from harness.fuzz.scripts import script
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.lane import Lane
from harness.model.eras import Era, era
from harness.model.executor import ModelExecutor
from harness.run.known import KnownDivergence
from harness.run.phase_timing import PhaseTime
from harness.run.plan import Share, on_board
from harness.run.results import MachineReport, ScriptResult, Tally
from harness.run.worker import Worker
from harness.script.needs import Need
from harness.script.operations import LoadProgram, ProgramType, Ref, RunSocketFilter, Script, UpdateElement
from harness.session import OnBoard
from hil import garbage, logs
from hil.errors import HilError

_log = logging.getLogger(__name__)

GENERATORS: dict[str, Callable[[int, int, Era], Script]] = {
    "programs": case,
    "scripts": script,
    "verdicts": verdicts.case,
}
"""The functions that make the case of a seed and a number, by what is random."""
CANARY = "canary"
"""What is random of the one case that is not: it is known what it gives on every kernel."""
TOGETHER = 32
"""Cases that share a process: half as many again a second. A case that does not end has its neighbours run again."""
SHRUNK = 2
"""Findings of one kind and lane in a range that are shrunk."""


@dataclass(frozen=True)
class Task:
    """The cases `numbers` of `of` and `seed` on every lane of a place, which is `board` where one is given; `folder` is
    the campaign's."""

    place: Place
    of: str
    seed: int
    numbers: range
    folder: Path
    board: OnBoard | None = None


@dataclass(frozen=True)
class Done:
    """What came of a task: a tally a lane of the results that have nothing to tell, and all others, with what other
    lanes may say otherwise, and which of their divergences are known."""

    task: Task
    tallies: tuple[Tally, ...]
    results: tuple[ScriptResult, ...]
    evidence: tuple[Evidence, ...] = ()
    known: tuple[KnownDivergence, ...] = ()
    machines: tuple[MachineReport, ...] = ()
    spent: tuple[PhaseTime, ...] = ()
    shrunk: tuple[Shrunk, ...] = ()
    """Some of the findings, with less that shows the same."""
    reached: frozenset[str] = frozenset()
    """The points of coverage (`harness.fuzz.coverage.observing`)."""


_kept = Kept()


def begin(life: int) -> None:
    """Prepares a process for tasks: it ends with the bench, however that ends: `life` is a pipe's end of which the
    bench holds the other one."""
    threading.Thread(target=_end_with, args=(life,), name="parent", daemon=True).start()
    garbage.collect_rarely()
    gc.freeze()  # modules stay: no collection has to look at what they made


def finish() -> None:
    """Puts away what the process keeps."""
    _kept.close()


def _end_with(life: int) -> None:
    os.read(life, 1)
    os._exit(1)  # machines are tied to their process


def carry_out(task: Task) -> Done:
    """Runs the cases of a task in the process's guest, which stays for the next one of the same place.

    Raises HilError when something else than the cases ended it, be it a machine that does not boot: they are to be run.
    """
    scripts = made(task.of, task.seed, task.numbers, task.place)
    share = share_of(task.place, scripts, task.board)
    share = replace(share, ready=_kept.ready(share.kernel, share.arch))
    with logs.to_file(task.folder / f"{share.name}.log"):
        points = Points()
        by_name = {one.name: one for one in scripts}
        worker = Worker(
            share,
            task.folder,
            _Silent(),
            model=points.model,
            heard=points.heard,
            sessions=_kept.session,
            about=lambda result: understood(share, (by_name[result.script],)),
        )
        worker.run()
        if failure := worker.failure:
            found = [one for one in worker.results if one.verdict is Verdict.DIVERGE]
            lines = (f"before that, {one.lane} {one.script}: {one.reason}" for one in found)
            failure.details = "\n".join((failure.details, *lines))
            raise failure
        smaller = tuple(_shrunk(worker, by_name, task.place))
        if any(Need.TWO_CPUS in one.needs for one in scripts):
            _kept.close()  # its second CPU is up, and cases begin on one
    return replace(summed_up(task, worker), shrunk=smaller, reached=points.all())


def _shrunk(worker: Worker, by_name: Mapping[str, Script], place: Place) -> Iterator[Shrunk]:
    """Shrinks the first findings of a kind, what nobody understands yet. One where that fails stays as it was found,
    and so do those behind it: what the failure left the machine in is not known."""
    tried: Counter[tuple[str, Kind]] = Counter()
    for result in worker.results:
        session = _kept.current
        if result.verdict is not Verdict.DIVERGE:
            continue
        tried[result.lane, Kind.of(result)] += 1
        if tried[result.lane, Kind.of(result)] > SHRUNK:
            continue
        (lane,) = (one for one in place.lanes if str(one) == result.lane)
        found = by_name[result.script]
        if session is None:
            yield whole(found, result, "its machine was gone")
            continue
        try:
            session.executor.switch(lane.engine)
            model = ModelExecutor(session.environment(lane.engine))
            smaller = shrunk(session, lane, found, result, model)
        except Exception as error:  # whatever it is, a finding that is larger than it might be ends no campaign
            _log.exception("%s: %s is not made smaller\n%s", lane, found.name, getattr(error, "details", ""))
            _kept.close(keep=True)
            smaller = whole(found, result, str(error) if isinstance(error, HilError) else repr(error))
        yield smaller


def made(of: str, seed: int, numbers: Iterable[int], place: Place) -> tuple[Script, ...]:
    """Returns the cases with these numbers for a place."""
    if of == CANARY:
        return (_CANARY,)
    rules = era(place.era, place.arch)
    return tuple(GENERATORS[of](seed, number, rules) for number in numbers)


_CANARY = Script(
    CANARY,
    "a filter keeps three bytes, and a map what was put into it",
    (
        array("map"),
        UpdateElement(Ref("map"), bytes(4), u64(7)),
        read_u64("map"),
        LoadProgram("program", ProgramType.SOCKET_FILTER, program(mov64_imm(R0, 3), exit_())),
        RunSocketFilter(Ref("program"), bytes(8)),
    ),
)


def share_of(place: Place, scripts: tuple[Script, ...], board: OnBoard | None = None) -> Share:
    """Returns what a worker does with scripts that are made at random."""
    return Share(
        place.kernel, place.arch, place.engines, scripts, together=TOGETHER, armed=(PRCTL,), random=True, board=board
    )


def understood(share: Share, scripts: Iterable[Script]) -> tuple[KnownDivergence, ...]:
    """Returns what is known of divergences of some of a share's scripts: it is looked for in their programs."""
    if share.board is None:
        return tuple(known(share.lanes, scripts))
    like = [replace(lane, kernel=share.board.like) for lane in share.lanes]
    return on_board(tuple(known(like, scripts)), share.board)


def summed_up(task: Task, worker: Worker) -> Done:
    """Returns what a worker found, without the results that have nothing to tell."""
    tallies = {str(lane): Tally(str(lane), {}) for lane in task.place.lanes}
    kept = []
    for result in worker.results:
        if result.verdict is Verdict.AGREE and not result.unpredicted:
            tallies[result.lane] += tally(result)
        else:
            kept.append(result)
    told = {result.script for result in kept}
    return Done(
        task,
        tuple(tallies.values()),
        tuple(kept),
        tuple(worker.evidence),
        understood(worker.share, [one for one in worker.share.scripts if one.name in told]),
        tuple(worker.reports),
        tuple(worker.clock.spent),
    )


def tally(result: ScriptResult) -> Tally:
    """Returns the tally of a single result."""
    open_ones = len(result.unpredicted), len(result.unjudged)
    return Tally(result.lane, {str(result.verdict): 1}, result.judged, *open_ones, result.seconds)


class _Silent:
    """Tells nobody of progress: results are told a range at a time."""

    def state(self, share: Share, text: str) -> None:
        pass

    def done(self, lane: Lane, result: ScriptResult) -> None:
        pass
