# SPDX-License-Identifier: MIT
"""What a worker of dask runs: it checks that it can be relied on, and hands tasks to processes of its own.

A process can be killed when a task is late, has the hash seed that the others have, and does not care whether the
worker is a daemon, as those are that a nanny looks after. Findings are written where the worker is before they are
sent, so that they outlive a scheduler that dies.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.compare import Verdict
from harness.fuzz.campaign import plan
from harness.fuzz.campaign.chosen import identity
from harness.fuzz.campaign.plan import Place
from harness.fuzz.campaign.slots import Died, Slot, Work
from harness.fuzz.campaign.work import CANARY, Done, Task
from harness.fuzz.finding.files import FOLDER, write
from hil import directories
from hil.errors import HilError

STARTING, A_CASE = 300.0, 1.0
"""The seconds after which a task is late: for a machine that boots, and for each case on each of its lanes, of which
the slowest guests carry out ten a second."""
_slots: dict[tuple[str, int], Slot] = {}
"""The processes of this worker, by the campaign and the guest that each has."""
_over: set[str] = set()
"""Campaigns that ended, or were interrupted: a task of theirs may still be about to begin."""
_busy: dict[tuple[str, int], threading.Lock] = {}
"""Held by the thread that may use a process's connection and close it: dask bounds how many tasks run, not whether two
have one guest's number, and campaigns end in another thread than tasks run in."""


class Late(Exception):
    """A task took longer than it may; its process was killed."""


class Unfit(Exception):
    """A worker would not do what this campaign takes; the text says why."""


@dataclass(frozen=True)
class Wanted:
    """What a worker must have: the code that makes and judges the cases, and these kernels."""

    generator: str
    places: tuple[Place, ...]


def allowance(task: Task) -> float:
    """Returns how many seconds a task may take."""
    return STARTING + A_CASE * len(task.numbers) * len(task.place.lanes)


def check(guest: int, wanted: Wanted, place: Place, campaign: str, work: Work) -> None:
    """Raises Unfit where this worker has other code or another kernel, or where its guest does not do what one case
    that is known has to give on a place."""
    if plan.generator() != wanted.generator:
        raise Unfit("its hil makes or judges cases otherwise")
    for one in wanted.places:
        if one.identity and identity(one.kernel, one.arch) != one.identity:
            raise Unfit(f"its {one} is another kernel")
    try:
        done = perform(guest, Task(place, CANARY, 0, range(1), Path()), campaign, work)
    except (HilError, Died, Late) as error:
        raise Unfit(f"{place}: {error}\n{getattr(error, 'details', '')}".strip()) from error
    agreed = {one.lane for one in done.tallies if one.verdicts.get(str(Verdict.AGREE))}
    if missing := [str(lane) for lane in place.lanes if str(lane) not in agreed]:
        said = "; ".join(f"{one.verdict}: {one.reason}" for one in done.results)
        raise Unfit(f"{', '.join(missing)} does not agree with a case that is known: {said}")


def perform(guest: int, task: Task, campaign: str, work: Work) -> Done:
    """Carries out a task in the process of a guest; raises Died, Late or HilError."""
    key = campaign, guest
    with _busy.setdefault(key, threading.Lock()):
        _go_on(campaign)
        slot = _slots.get(key) or _slots.setdefault(key, Slot(work))
        try:
            _go_on(campaign)  # again, since the slot is there for `_put_away` to see by now
            folder = _folder(campaign)
            slot.give(replace(task, folder=folder))
            if not slot.connection.poll(allowance(task)):
                raise Late(f"it took more than {allowance(task):.0f} s")
            done = slot.take()
        except BaseException:
            _slots.pop(key, None)
            slot.kill()
            raise
        _keep(done, folder)  # before `dismiss` can remove the folder
    return replace(done, task=task)


def _go_on(campaign: str) -> None:
    """Raises Died for a campaign that is over."""
    if campaign in _over:
        raise Died("its campaign is over")


def abandon(campaign: str) -> None:
    """Ends this worker's processes of a campaign that was interrupted, and what they are at; what it kept stays."""
    _put_away(campaign, Slot.kill)


def dismiss(campaign: str) -> None:
    """Ends this worker's processes of a campaign, and removes what it kept of it, which is recorded elsewhere now."""
    _put_away(campaign, Slot.end)
    shutil.rmtree(_folder(campaign), ignore_errors=True)


def _put_away(campaign: str, end: Callable[[Slot], None]) -> None:
    """Ends the idle processes of a campaign by `end`, and interrupts the others, of which `perform` takes leave."""
    _over.add(campaign)
    for key in [key for key in list(_busy) if key[0] == campaign]:  # which other threads change meanwhile
        idle = _busy[key].acquire(blocking=False)
        if not idle:
            if at_work := _slots.get(key):
                at_work.interrupt()
            _busy[key].acquire()
        try:
            if slot := _slots.pop(key, None):  # one whose task was through before the interrupt is left
                end(slot) if idle else slot.kill()
        finally:
            _busy[key].release()


def _keep(done: Done, folder: Path) -> None:
    for one in done.shrunk:
        write(folder / FOLDER, one, {"case": one.found.script})


def _folder(campaign: str) -> Path:
    folder = directories.state() / "campaigns" / campaign
    folder.mkdir(parents=True, exist_ok=True)
    return folder
