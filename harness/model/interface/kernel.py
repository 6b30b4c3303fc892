"""The kernel's state while a script runs."""

from __future__ import annotations

from harness.model.environment import Environment
from harness.model.helpers import Helpers
from harness.model.interface.attach import detach_on_close
from harness.model.interface.descriptors import Names
from harness.model.interface.objects import Content, PerfEvent, TraceEvent
from harness.model.interpreter import Interpreter, Sink
from harness.model.maps import EventArrayMap


class Kernel:
    """One script's kernel. `sink` is told of every instruction that runs."""

    def __init__(self, environment: Environment, interpreter: Interpreter, sink: Sink | None = None) -> None:
        self.environment = environment
        self.rules = environment.rules
        self.interpreter = interpreter
        self.sink = sink
        self.helpers = Helpers(environment)
        self.names = Names(self._release)
        self.trace_events: list[TraceEvent] = []
        """In the order they were made."""

    def _release(self, content: Content) -> None:
        """The last reference to a file went away."""
        if isinstance(content, EventArrayMap):
            for file in content.clear():
                self.names.drop(file)
        elif isinstance(content, PerfEvent):
            detach_on_close(self.rules.attachment, content)
            content.trace_event.events.remove(content)
