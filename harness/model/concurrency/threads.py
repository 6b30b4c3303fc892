# SPDX-License-Identifier: MIT
"""The threads of one `RunThreads`, run in one order of their operations."""

from __future__ import annotations

from collections.abc import Callable

from harness.model.concurrency.orders import Turn
from harness.model.concurrency.race import Contended, Witness
from harness.model.interface.kernel import Kernel
from harness.model.interface.task import Task
from harness.model.interpreter import Sink, Step
from harness.model.maps import Map
from harness.script.operations import DeleteElement, MapType, Operation, Ref, RunThreads, UpdateElement
from harness.script.outcome import Prediction

STORED_IN_PLACE = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY, MapType.PERCPU_HASH})
"""Types of maps whose update overwrites an existing element; in others a new element replaces it."""


class Threads:
    """The state from the first thread's first operation until all have ended, when the script's own thread goes on."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._task, self._cpu, self._sink = kernel.task, kernel.environment.cpu, kernel.sink
        self._tasks: dict[int, Task] = {}
        self._cpus: dict[int, int] = {}
        self._predictions: dict[tuple[int, int], Prediction] = {}
        self._witness = Witness()
        kernel.sink = _both(self._sink, self._witness)
        kernel.names.disturb()  # the executor may open something for each thread

    def enter(self, turn: Turn) -> None:
        """Switches to the turn's thread, on the CPU where it runs."""
        cpu = self._cpus.get(turn.thread, turn.cpu)
        self._witness.move(cpu)
        self._kernel.switch(self._tasks.setdefault(turn.thread, self._task.thread()))
        self._kernel.run_on(cpu)

    def left(self, turn: Turn, prediction: Prediction) -> None:
        """Records what the turn's operation gave."""
        self._predictions[turn.place] = prediction
        self._cpus[turn.thread] = self._kernel.environment.cpu
        self._report(turn.operation)

    def join(self) -> tuple[str, tuple[Contended, ...]]:
        """Ends the threads and switches back to the script's own; returns what `Witness.end` returns."""
        self._kernel.switch(self._task)
        self._kernel.run_on(self._cpu)
        self._kernel.sink = self._sink
        if any(event.inherit and event.task is self._task for event in self._kernel.perf_events()):
            return "what threads add to an event that they inherit", ()
        return self._witness.end()

    def predictions(self, operation: RunThreads) -> tuple[tuple[Prediction, ...], ...]:
        """Returns what each thread's operations gave."""
        return tuple(
            tuple(self._predictions[number, position] for position in range(len(thread.operations)))
            for number, thread in enumerate(operation.threads)
        )

    def _report(self, operation: Operation) -> None:
        """Reports to the witness what a system call does to maps; what programs do it sees itself."""
        if not isinstance(operation, UpdateElement | DeleteElement) or not isinstance(operation.map, Ref):
            return
        map = self._kernel.names.peek(operation.map.name)
        if isinstance(map, Map) and not map.doubt:
            self._witness.overwritten(map.handle)
            if map.type in STORED_IN_PLACE and operation.key:
                for cpu in range(self._kernel.environment.cpus):
                    if value := map.lookup(operation.key[: map.key_size], cpu):
                        self._witness.overwritten(value)


def _both(first: Sink | None, second: Callable[[Step], None]) -> Sink:
    def forward(step: Step) -> None:
        if first is not None:
            first(step)
        second(step)

    return forward
