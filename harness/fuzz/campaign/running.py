# SPDX-License-Identifier: MIT
"""Running what is left of a campaign."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from harness.fuzz.campaign import journal
from harness.fuzz.campaign.journal import Journal
from harness.fuzz.campaign.plan import Campaign, Place
from harness.fuzz.campaign.schedule import Schedule
from harness.fuzz.campaign.slots import Died, Processes, Work
from harness.fuzz.campaign.totals import Totals
from harness.fuzz.campaign.work import Done, Task, carry_out
from harness.fuzz.finding.files import FOLDER, collect, write
from harness.script.malformed import Malformed
from harness.session import OnBoard
from hil import signals
from hil.agent.wire import BatchError
from hil.errors import BenchError, HilError, UserError, os_error
from hil.programs import NotInstalled

_log = logging.getLogger(__name__)

TRIES = 3
"""How often a task is given to a process before the bench gives up, when each ends in the middle of it, or fails."""
_LASTING = (UserError, NotInstalled)
"""Failures that are the same however often a task is given to a process of the same host."""
_OF_THE_BENCH = (Malformed, BatchError)
"""Wrong usage where a user makes scripts; those of a campaign are made by the bench."""

Tell = Callable[[Totals], None]


def run(
    campaign: Campaign,
    folder: Path,
    jobs: int,
    tell: Tell,
    *,
    totals: Totals,
    board: OnBoard | None = None,
    minutes: float | None = None,
    work: Work = carry_out,
    crew: Crew | None = None,
    corpus: Path | None = None,
    say: Callable[[str], None] = _log.warning,
) -> None:
    """Runs the cases that the journal in `folder` does not have, on `jobs` machines at once, and adds everything to
    `totals`; `tell` is called whenever there is more. With `minutes` no range begins after so many. With a `crew`, that
    carries out the tasks instead. Findings are also collected in the folder `corpus`. `say` receives what has to be
    done again.

    A signal (`hil.signals`) ends it; so does a kill, and either costs the ranges that were under way. Raises BenchError
    when the journal cannot be written, or nothing comes of a task whoever is given it; UserError and NotInstalled as
    soon as a task fails of one, where trying again does not help.
    """
    through = set()
    for entry in journal.read(folder):
        through.add(entry.first)
        totals.add(entry)
    todo = [numbers for numbers in campaign.ranges() if numbers.start not in through]
    if todo:
        with Journal(folder) as written:
            number = 1 if board else min(jobs, len(todo) * len(campaign.places))
            with crew or Processes(number, work) as slots:
                _Running(campaign, folder, totals, written, board, slots, corpus, say).run(todo, tell, minutes)


class Slot(Protocol):
    """Where one task at a time is carried out: `task`, None while there is none. `place` is that of the last one."""

    task: Task | None
    place: Place | None

    @property
    def able(self) -> bool:
        """Whether it can be given a task now."""

    def give(self, task: Task) -> None:
        """Give it a task."""

    def take(self) -> Done:
        """What came of its task. Raises Died when its process ended, HilError when the bench failed in it."""


class Crew(Protocol):
    """What carries out tasks, one at a time in each of its slots. A context manager that puts all of it away.

    `one_host` says whether all slots are on one host, so that what one of them lacks all do."""

    one_host: bool

    def __enter__(self) -> Crew: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def all(self) -> Iterable[Slot]:
        """Every slot that there is now."""

    def ready(self) -> Iterator[Slot]:
        """The slots whose tasks are through, or that died; wait for a moment for the first one."""

    def replace(self, dead: Any) -> None:
        """See to another slot in the place of one of whose task nothing came."""


class _Running:
    def __init__(
        self,
        campaign: Campaign,
        folder: Path,
        totals: Totals,
        written: Journal,
        board: OnBoard | None,
        slots: Crew,
        corpus: Path | None,
        say: Callable[[str], None] = _log.warning,
    ) -> None:
        self._campaign, self._folder, self._board = campaign, folder, board
        self._totals, self._written = totals, written
        self._slots, self._corpus, self._say = slots, corpus, say
        self._parts: dict[range, list[Done]] = defaultdict(list)
        self._began: dict[range, float] = {}
        self._tries: Counter[tuple[str, range]] = Counter()

    def run(self, todo: list[range], tell: Tell, minutes: float | None) -> None:
        """Runs ranges until all are through, or there is no time left."""
        schedule = Schedule(todo, self._campaign.places)
        end = None if minutes is None else time.monotonic() + 60 * minutes
        while True:
            late = end is not None and time.monotonic() >= end
            if not late:
                self._hand_out(schedule)
            if not any(slot.task for slot in self._slots.all()) and (late or schedule.through):
                break
            for slot in list(self._slots.ready()):
                if self._taken(slot, schedule):
                    tell(self._totals)
            signals.deliver()
            signals.defer()

    def _hand_out(self, schedule: Schedule) -> None:
        slots = list(self._slots.all())
        machines = len(slots)
        idle = [slot for slot in slots if slot.able]
        idle.sort(key=lambda slot: not schedule.able(slot.place, machines))  # a machine that is there goes on
        for slot in idle:
            if given := schedule.next(slot.place, machines):
                place, numbers = given
                self._began.setdefault(numbers, time.monotonic())
                slot.give(Task(place, self._campaign.of, self._campaign.seed, numbers, self._folder, self._board))

    def _taken(self, slot: Slot, schedule: Schedule) -> bool:
        """Takes what came of a slot's task; returns whether a range is through now."""
        task = slot.task
        assert task is not None
        try:
            done = slot.take()
        except (Died, HilError) as failure:
            self._failed(task, failure)
            schedule.again(task.place, task.numbers)
            self._slots.replace(slot)
            return False
        self._parts[task.numbers].append(done)
        if not schedule.done(task.place, task.numbers):
            return False
        order = {place: index for index, place in enumerate(self._campaign.places)}
        parts = sorted(self._parts.pop(task.numbers), key=lambda part: order[part.task.place])
        entry = self._totals.entry(task.numbers, parts, time.monotonic() - self._began.pop(task.numbers))
        self._keep(parts)
        self._written.append(entry)
        self._totals.add(entry)
        return True

    def _failed(self, task: Task, failure: Died | HilError) -> None:
        """Notes that nothing came of a task. Raises the failure where it lasts, BenchError after too many of them,
        so that a bench that cannot run cases ends, and leaves them to be run, instead of being through with all of them
        in a moment."""
        first, last = task.numbers.start, task.numbers.stop - 1
        what = f"cases {first} to {last} of {task.of}, seed {task.seed}, on {task.place}"
        lasts = isinstance(failure, _LASTING) and not isinstance(failure, _OF_THE_BENCH)
        if lasts and self._slots.one_host:
            raise failure
        self._tries[str(task.place), task.numbers] += 1
        details = failure.details if isinstance(failure, HilError) else ""
        if self._tries[str(task.place), task.numbers] == TRIES:
            raise BenchError(
                f"nothing came of {what} in {TRIES} tries, the last time because {failure}",
                remedy="look for the cause (memory, a full disk, a machine that does not boot), report errors of hil,"
                f" then: hil fuzz --resume {self._folder}",
                details=details,
            ) from failure
        self._say(f"{what} are run again: {failure}")
        _log.info("%s: %s", what, details)

    def _keep(self, parts: list[Done]) -> None:
        """Writes what was shrunk, before the journal says that the range is through."""
        for part in parts:
            identity = {str(part.task.place): part.task.place.identity}
            origin = {"of": self._campaign.of, "seed": self._campaign.seed, "generator": self._campaign.generator}
            for one in part.shrunk:
                if one.whole:
                    lane, case = one.found.lane, one.found.script
                    _log.warning("%s on %s is kept as it was found, not made smaller: %s", case, lane, one.whole)
                whence = {**origin, "case": one.found.script, "found": one.found.reason, "kernel": identity}
                try:
                    write(self._folder / FOLDER, one, whence)
                except OSError as error:
                    raise os_error(error, self._folder) from error
                if self._corpus:
                    collect(self._corpus, one, whence)
