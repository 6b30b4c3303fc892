# SPDX-License-Identifier: MIT
"""The kernel's state while a script runs."""

from __future__ import annotations

from collections.abc import Iterator
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
from harness.script.outcome import Outcome


class Kernel:
    """One script's kernel. `sink` is told of every instruction that runs."""

    def __init__(self, environment: Environment, interpreter: Interpreter, sink: Sink | None = None) -> None:
        self.environment = environment
        self.rules = environment.rules
        self.interpreter = interpreter
        self.sink = sink
        uid = environment.uid
        self.task = Task(names=Names(self.release), uid=uid, gid=uid, capabilities=environment.capabilities)
        """Who makes the script's system calls."""
        self.surroundings = Surroundings(environment, self.task)
        self.helpers = Helpers(environment, self.surroundings)
        self.settings = Settings(self.rules.settings if environment.settings is None else environment.settings)
        """What is below /proc/sys, by its path there."""
        self.trace_events: list[TraceEvent] = []
        """In the order they were made."""
        self.seen: Outcome | None = None
        """What a guest said of the operation under way, where it is known."""
        self.choices: Choices | None = None
        """Which way programs go on where they compare what cannot be known; None when nobody chooses for them."""
        self.locked_doubt = ""
        """Why nobody knows how many pages of rings callers have locked."""

    @property
    def names(self) -> Names:
        """What the script's names stand for now."""
        return self.task.names

    def perf_events(self) -> Iterator[PerfEvent]:
        """Those of trace events that are open, and those inherited from them."""
        return (event for trace_event in self.trace_events for event in trace_event.events)

    def switch(self, task: Task) -> None:
        """From now on `task` makes the system calls."""
        self.task = self.surroundings.caller = task

    def run_on(self, cpu: int) -> None:
        """From now on system calls are made on this CPU."""
        self.environment = self.surroundings.environment = replace(self.environment, cpu=cpu)
        self.helpers = Helpers(self.environment, self.surroundings)

    def release(self, content: Content) -> None:
        """Nothing refers to it any more."""
        if isinstance(content, FileArrayMap):
            for file in content.abandon():
                self.names.drop(file)
        elif isinstance(content, PerfEvent):
            detach_on_close(self.rules.attachment, content)
            content.trace_event.events.remove(content)
