# SPDX-License-Identifier: MIT
"""Processes that carry out tasks, one at a time each: their guests, and their models, do not share an interpreter."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.fuzz.campaign.plan import Place
from harness.fuzz.campaign.work import Done, Task, begin, finish
from hil.errors import BenchError, HilError, exhausted

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
        # Not by `multiprocessing`, whose processes may not be those of a daemon, which workers of dask are.
        ours, theirs = socket.socketpair()
        end, self._life = os.pipe()
        descriptors = (theirs.fileno(), end)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, *map(str, descriptors)],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            process_group=0,  # what a terminal or timeout(1) sends is for the bench, which ends it
            # What several of them say is compared by hashes.
            env={**os.environ, _SEED: "0", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        os.close(end)
        self.connection = Connection(ours.detach())
        self.task: Task | None = None
        self.place: Place | None = None
        with contextlib.suppress(OSError):
            self.connection.send(work)

    @property
    def able(self) -> bool:
        """Returns whether it can be given a task now."""
        return self.task is None

    def give(self, task: Task) -> None:
        """Gives it a task."""
        self.task, self.place = task, task.place
        with contextlib.suppress(OSError):  # `take` meets the end of the process
            self.connection.send(task)

    def take(self) -> Done:
        """Returns what came of its task. Raises Died when the process ended, HilError when the bench failed in it."""
        self.task = None
        try:
            answer: Any = self.connection.recv()
        except (EOFError, OSError) as error:
            self.kill()
            raise Died(f"its process ended with {self._process.returncode}") from error
        if isinstance(answer, HilError):
            raise answer
        assert isinstance(answer, Done)
        return answer

    @property
    def resident(self) -> int:
        """Returns the bytes of memory that the process has, without its machine's."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def pid(self) -> int:
        """Returns the process id."""
        return self._process.pid

    def interrupt(self) -> None:
        """Ends the process at once, and its machine with it, for a thread that does not own the slot: the one that
        does meets its end, and calls `kill`."""
        self._process.kill()

    def end(self) -> None:
        """Ends the process when it has put its machine away; one that has a task is killed."""
        if self.task is None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self.connection.send(None)
                self._process.wait(_PATIENCE)
        self.kill()

    def kill(self) -> None:
        """Ends the process at once, and its machine with it; harmless when repeated. As all methods but `interrupt`, it
        is for one thread at a time: another one could use a descriptor that was closed, and is somebody else's now."""
        self._process.kill()
        self._process.wait()
        self.connection.close()
        life, self._life = self._life, -1
        if life >= 0:
            os.close(life)


class Processes:
    """As many slots as there are machines at once. It is a context manager."""

    one_host = True

    def __init__(self, number: int, work: Work) -> None:
        self._number, self._work = number, work
        self._slots: list[Slot] = []

    def __enter__(self) -> Processes:
        self._slots = [Slot(self._work) for _ in range(self._number)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for slot in self._slots:
            if kind is None:
                slot.end()
            else:
                slot.kill()

    def all(self) -> Iterable[Slot]:
        """Returns every slot."""
        return self._slots

    def ready(self) -> Iterator[Slot]:
        """Yields the slots whose tasks are through, or that died; waits for a moment for the first one."""
        busy = {slot.connection: slot for slot in self._slots if slot.task}
        yield from (busy[connection] for connection in wait(list(busy), _LOOK) if isinstance(connection, Connection))

    def replace(self, dead: Slot) -> None:
        """Puts another slot in the place of one of whose task nothing came."""
        dead.kill()
        self._slots[self._slots.index(dead)] = Slot(self._work)


_SERVE = """
import sys
from harness.fuzz.campaign.slots import serve
serve(*map(int, sys.argv[1:]))
"""


def serve(descriptor: int, life: int) -> None:
    """Carries out what comes on a connection, by the function that comes first, until `None` does."""
    begin(life)
    connection = Connection(descriptor)
    try:
        work: Work = connection.recv()
        while (task := connection.recv()) is not None:
            try:
                answer: Done | HilError = work(task)
            except HilError as error:
                answer = error
            except Exception as error:
                failed = BenchError(f"the bench failed: {error!r}", details=traceback.format_exc())
                answer = exhausted(error) or failed
            connection.send(answer)
    except (EOFError, BrokenPipeError):
        return
    finish()
