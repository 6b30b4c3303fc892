# SPDX-License-Identifier: MIT
"""Processes that carry out tasks, one at a time each: their guests, and their models, do not share an interpreter."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from harness.fuzz.campaign.plan import Place
from harness.fuzz.campaign.work import Done, Task, begin, finish
from hil.errors import BenchError

Work = Callable[[Task], Done]
_SEED = "PYTHONHASHSEED"
_LOOK = 1.0
"""Seconds after which a wait returns, so that signals are heeded."""
_PATIENCE = 10.0
"""Seconds that a process is given to end."""


class Died(Exception):
    """A process ended while it had a task."""


class Slot:
    """A process. `task` is what it carries out, None while it has nothing to do; `place` is that of the last one."""

    def __init__(self, work: Work) -> None:
        os.environ.setdefault(_SEED, "0")  # what several of them say is compared by hashes
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, work), daemon=True)
        self._process.start()
        other.close()
        self.task: Task | None = None
        self.place: Place | None = None

    def give(self, task: Task) -> None:
        """Gives it a task."""
        self.task, self.place = task, task.place
        with contextlib.suppress(OSError):  # `take` meets the end of the process
            self.connection.send(task)

    def take(self) -> Done:
        """Returns what came of its task. Raises Died when the process ended, BenchError when the bench failed in
        it."""
        self.task = None
        try:
            answer: Any = self.connection.recv()
        except (EOFError, OSError) as error:
            self.kill()
            raise Died(f"its process ended with {self._process.exitcode}") from error
        if isinstance(answer, str):
            raise BenchError("a process of the campaign failed", details=answer)
        assert isinstance(answer, Done)
        return answer

    @property
    def resident(self) -> int:
        """Returns the bytes of memory that the process has, without its machine's."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> None:
        """Ends the process when it has put its machine away; one that has a task is killed."""
        if self.task is None:
            with contextlib.suppress(OSError):
                self.connection.send(None)
                self._process.join(_PATIENCE)
        self.kill()

    def kill(self) -> None:
        """Ends the process at once, and its machine with it; harmless when repeated."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def ready(slots: Iterable[Slot]) -> Iterator[Slot]:
    """Yields those of the slots with tasks that are through, or died; waits for a moment for the first one."""
    busy = {slot.connection: slot for slot in slots if slot.task}
    yield from (busy[connection] for connection in wait(list(busy), _LOOK) if isinstance(connection, Connection))


def _serve(connection: Connection, work: Work) -> None:
    begin()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        if task is None:
            finish()
            return
        try:
            answer: Done | str = work(task)
        except Exception:
            answer = traceback.format_exc()
        connection.send(answer)
