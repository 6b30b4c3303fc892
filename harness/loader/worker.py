# SPDX-License-Identifier: MIT
"""One kernel's share of `hil exec`: a machine for each lane, so that what a command leaves reaches no other lane."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from harness.compare import Verdict
from harness.lane import Lane
from harness.loader.access import Access
from harness.loader.rooted import Surroundings
from harness.loader.running import Limits, Lost, Place
from harness.loader.task import Task
from harness.lowering.engine import EngineUnavailable
from harness.report.executed import ending
from harness.run.executed import Executed
from harness.run.plan import Share
from harness.run.results import MachineReport, OperationReport, ScriptResult
from harness.run.watch import Watch
from harness.run.worker import Worker
from harness.session import Bootable, OnBoard, Session, board_session, lane_session
from hil.board.board import BoardTarget
from hil.machine import Machine

HOURS = 8
"""The life time of a machine that is kept because a command failed in it."""


class TaskWorker(Worker):
    """Runs a task on the lanes of a share. `executed` has what is known of it on each."""

    def __init__(
        self,
        share: Share,
        task: Task,
        limits: Limits,
        folder: Path,
        watch: Watch,
        *,
        surroundings: Surroundings,
        may_leave: bool = False,
        keep_failed: bool = False,
    ) -> None:
        super().__init__(share, folder, watch)
        self.executed: list[Executed] = []
        self._task = task
        self._limits = limits
        self._surroundings = surroundings
        self._may_leave = may_leave
        self._keep_failed = keep_failed

    def _run(self) -> None:
        self._go_on()
        if self.share.board is not None:
            self._know(provenance=dict(self.share.board.kernel.provenance))
            self._serve_lanes(self.share.board)
            return
        with self._surroundings.bootable(self.share.kernel, self.share.arch, self._progress) as bootable:
            self._know(provenance=dict(bootable.kernel.provenance))
            self._serve_lanes(bootable)

    def _serve_lanes(self, bootable: Bootable | OnBoard) -> None:
        for number, lane in enumerate(self.share.lanes):
            if number:
                self.reports.append(
                    MachineReport(self.share.kernel, self.share.arch, provenance=dict(bootable.kernel.provenance))
                )
            self._serve_lane(bootable, lane)

    def _serve_lane(self, bootable: Bootable | OnBoard, lane: Lane) -> None:
        folder = self._folder / f"{self.share.name}-{lane.engine}"
        self.machine = None
        try:
            with self._place(bootable, lane, folder) as (session, place):
                self.say(f"running {self._task.name}")
                with self.clock.on(lane, "command"):
                    good = self._keep(lane, place.run(str(lane), self._task, self._limits, folder, self._folder))
                place.close()
                if not good and self._keep_failed and isinstance(session.target, Machine):
                    self._hold(lane, session.target, folder)
        except EngineUnavailable as error:
            self._add(lane, ScriptResult(str(lane), self._task.name, Verdict.UNSUPPORTED, str(error)))
        except Lost as loss:
            self.executed.append(loss.executed)
            self._know(trouble=f"{loss}\n{loss.details}".strip())
            lost = ScriptResult(str(lane), self._task.name, Verdict.LOST, str(loss), postmortem=self._postmortem)
            self._add(lane, lost)
        finally:
            if self.machine is not None:
                self._account_for(self.machine)

    @contextmanager
    def _place(
        self, bootable: Bootable | OnBoard, lane: Lane, folder: Path
    ) -> Iterator[tuple[Session[Machine] | Session[BoardTarget], Place]]:
        """Yields a session on the lane, and a workspace there; EngineUnavailable where a board has no such engine."""
        if isinstance(bootable, OnBoard):
            with board_session(bootable, folder, listener=self._progress) as on_board:
                self._know_session(on_board)
                on_board.executor.switch(lane.engine)
                place = Place(on_board.target, on_board.executor, f"{on_board.target.folder}/task")
                place.prepare()
                yield on_board, place
            return
        with lane_session(bootable, folder, engine=lane.engine, all_cpus=True, listener=self._progress) as session:
            self._know_session(session)
            place = Place(session.target, session.executor)
            place.prepare(bootable)
            yield session, place

    def _hold(self, lane: Lane, machine: Machine, folder: Path) -> None:
        """Keeps the machine of a command that failed, until it is lost or stopped, or its time is over."""
        access = Access.of(machine, folder, rooted=self._surroundings.root is not None)
        self.say(f"{lane.engine} is kept until Ctrl-C")
        click.echo(f"{lane} is kept until Ctrl-C, or {HOURS} hours: {shlex.join(access.ssh)}", err=True)
        over = threading.Event()
        machine.on_loss(over.set)
        over.wait(3600.0 * HOURS)

    def _keep(self, lane: Lane, executed: Executed) -> bool:
        """Keeps what is known of a command; returns whether it fared well."""
        self.executed.append(executed)
        wrong = complaint(executed, self._limits, may_leave=self._may_leave)
        verdict = Verdict.DIVERGE if wrong else Verdict.AGREE
        operation = OperationReport(0, str(self._task), "", ending(executed), "status 0") if wrong else None
        self._add(lane, ScriptResult(str(lane), self._task.name, verdict, wrong, operation, seconds=executed.seconds))
        return not wrong


def complaint(executed: Executed, limits: Limits, *, may_leave: bool) -> str:
    """What is wrong with how a command fared; empty where it is as it should be."""
    wrong = []
    if executed.late:
        wrong.append(
            f"it did not end within {limits.deadline:g} nominal seconds, so its process group was ended;"
            " give it more with --deadline, or end it yourself: timeout -s INT 5 COMMAND"
        )
    elif executed.status:
        said = next(iter(reversed(executed.stderr.splitlines() or executed.stdout.splitlines())), "")
        wrong.append(f"it ended with {ending(executed)}{f': {said}' if said else ''}")
    if executed.left and not may_leave:
        wrong.append(f"it left behind: {'; '.join(one.text for one in executed.left)}")
    return "; ".join(wrong)
