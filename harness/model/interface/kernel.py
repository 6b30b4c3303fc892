# SPDX-License-Identifier: MIT
"""The kernel's state while a script runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from harness.model.choices import Choices
from harness.model.environment import Environment
from harness.model.helpers import Helpers
from harness.model.interface.attach import detach_on_close
from harness.model.interface.descriptors import Names
from harness.model.interface.objects import Content, PerfEvent, TraceEvent
from harness.model.interface.setting_values import Settings
from harness.model.interface.task import Task
from harness.model.interpreter import Interpreter, Sink
from harness.model.maps import FileArrayMap
from harness.model.surroundings import Surroundings
from harness.model.verifier.rules import Rule
from harness.script.outcome import Outcome


class Kernel:
    """The kernel of one script. `sink` receives every instruction that runs, `refused` the rule that each program is
    refused by."""

    def __init__(
        self,
        environment: Environment,
        interpreter: Interpreter,
        sink: Sink | None = None,
        refused: Callable[[Rule], None] = lambda _: None,
    ) -> None:
        self.environment = environment
        self.rules = environment.rules
        self.interpreter = interpreter
        self.sink = sink
        self.refused = refused
        uid = environment.uid
        self.task = Task(names=Names(self.release), uid=uid, gid=uid, capabilities=environment.capabilities)
        """The process that makes the script's system calls."""
        self.surroundings = Surroundings(environment, self.task)
        self.helpers = Helpers(environment, self.surroundings)
        self.settings = Settings(self.rules.settings if environment.settings is None else environment.settings)
        """The values below /proc/sys, by their paths there."""
        self.trace_events: list[TraceEvent] = []
        """Trace events in the order they were made."""
        self.seen: Outcome | None = None
        """The guest's outcome of the current operation, where it is known."""
        self.choices: Choices | None = None
        """The results of comparisons that cannot be known; None when nothing chooses them."""
        self.counts_runs = False
        """Whether the script asked for statistics, so that the kernel may count runs of programs."""
        self.locked_doubt = ""
        """Why nobody knows how many pages of rings callers have locked."""

    @property
    def names(self) -> Names:
        """Returns what the script's names stand for now."""
        return self.task.names

    def perf_events(self) -> Iterator[PerfEvent]:
        """Yields the open events of trace events, and those inherited from them."""
        return (event for trace_event in self.trace_events for event in trace_event.events)

    def switch(self, task: Task) -> None:
        """Lets `task` make the system calls from now on."""
        self.task = self.surroundings.caller = task

    def run_on(self, cpu: int) -> None:
        """Lets system calls be made on this CPU from now on."""
        self.environment = self.surroundings.environment = replace(self.environment, cpu=cpu)
        self.helpers = Helpers(self.environment, self.surroundings)

    def release(self, content: Content) -> None:
        """Frees an object that nothing refers to any more."""
        if isinstance(content, FileArrayMap):
            for file in content.abandon():
                self.names.drop(file)
        elif isinstance(content, PerfEvent):
            detach_on_close(self.rules.attachment, content)
            content.trace_event.events.remove(content)
